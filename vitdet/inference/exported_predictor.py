"""What runs exported files has in common: pixels made what the file takes, outputs made results."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vitdet.datasets.images import read_image
from vitdet.evaluation.mask_pasting import paste_masks
from vitdet.inference.model_card import ModelCard
from vitdet.inference.prediction import Prediction
from vitdet.inference.predictor import Predictor, too_narrow


class ExportedPredictor(Predictor):
    """A predictor whose model is a function of pixels, described by `card`; needs no torch."""

    card: ModelCard

    def prepare(self, image: Path | np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
        """Resize an image as the model takes it, and pad it to a size that it takes.

        Returns (h, w, 3) uint8 RGB, and the factors of width and height. Raises UserError if it is
        so narrow that nothing would be left of it.
        """
        pixels = read_image(image) if isinstance(image, Path) else image
        height, width = pixels.shape[:2]
        long, short = max(self.card.scale), min(self.card.scale)
        factor = min(long / max(height, width), short / min(height, width))
        if self.card.size is not None:
            factor = min(factor, self.card.size[0] / height, self.card.size[1] / width)
        # Rounded as mmcv does.
        size = (int(width * factor + 0.5), int(height * factor + 0.5))
        if min(size) < 1:
            raise too_narrow(pixels.shape)
        if size != (width, height):
            pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)
        return self._padded(pixels), (size[0] / width, size[1] / height)

    def _padded(self, pixels: np.ndarray) -> np.ndarray:
        height, width = pixels.shape[:2]
        multiple = self.card.multiple
        size = self.card.size or (height + -height % multiple, width + -width % multiple)
        if size == (height, width):
            return pixels
        padded = np.empty((*size, 3), np.uint8)
        padded[:] = self.card.fill
        padded[:height, :width] = pixels
        return padded

    def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """The model's outputs for images: (B, H, W, 3) uint8 RGB, as `ModelCard` describes them."""
        raise NotImplementedError

    def _predict(self, batch: Sequence[Path | np.ndarray]) -> list[Prediction]:
        images = [read_image(source) if isinstance(source, Path) else source for source in batch]
        prepared, factors = zip(*map(self.prepare, images), strict=True)
        # Images of other sizes would have to be padded: these are taken one by one.
        is_one_size = len({one.shape for one in prepared}) == 1
        runs = [np.stack(prepared)] if is_one_size else [one[None] for one in prepared]
        outputs = [
            {name: value[index] for name, value in results.items()}
            for results in map(self.run, runs)
            for index in range(len(next(iter(results.values()))))
        ]
        return [
            self._prediction(output, image.shape[:2], factor, source)
            for output, image, factor, source in zip(outputs, images, factors, batch, strict=True)
        ]

    def _prediction(
        self,
        outputs: dict[str, np.ndarray],
        size: tuple[int, int],
        factors: tuple[float, float],
        source: Path | np.ndarray,
    ) -> Prediction:
        common: dict[str, Any] = dict(
            class_names=self.class_names, image_size=size, source=source, colours=self.card.colours
        )
        height, width = size
        if self.card.task == "segmentation":
            inside = round(height * factors[1]), round(width * factors[0])
            classes = outputs["classes"][: inside[0], : inside[1]].astype(np.uint8)
            classes = cv2.resize(classes, (width, height), interpolation=cv2.INTER_NEAREST)
            nothing = np.zeros(0, np.float32)
            return Prediction(
                np.zeros((0, 4), np.float32), nothing, nothing.astype(int),
                semantic=classes.astype(np.int64), **common,
            )  # fmt: skip
        found = outputs["scores"] > 0
        boxes = outputs["boxes"][found] / np.float32([*factors, *factors])
        masks = None
        if "masks" in outputs:
            masks = paste_masks(outputs["masks"][found], boxes, size)
        scores, labels = outputs["scores"][found], outputs["labels"][found]
        return Prediction(boxes, scores, labels, masks=masks, **common)
