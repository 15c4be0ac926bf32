"""What was found in one image, as plain arrays."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from vitdet.datasets.image_sources import ImageLike, pixels_of
from vitdet.datasets.images import read_image
from vitdet.errors import UserError
from vitdet.evaluation.rle import encode_masks
from vitdet.visualization.colours import Colour
from vitdet.visualization.draw import draw_instances
from vitdet.visualization.semantic import class_colours, draw_semantic, index_png

if TYPE_CHECKING:
    import supervision


@dataclass(frozen=True, eq=False)
class Prediction:
    """What was found in one image, best score first.

    Attributes:
        boxes: (N, 4) xyxy in pixels of the original image.
        scores: (N,) 0 to 1.
        labels: (N,) places in `class_names`.
        class_names: name of each class.
        image_size: (H, W) of the original image.
        masks: (N, H, W) bool, or None if the model finds no masks.
        semantic: (H, W) class of each pixel, or None.
        panoptic: (H, W) segment of each pixel, class + 1000 * instance, or None.
        source: the image that was given, for `draw`; of what is no file its pixels.
        colours: of each class, where `semantic` is drawn.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    image_size: tuple[int, int]
    masks: np.ndarray | None = None
    semantic: np.ndarray | None = None
    panoptic: np.ndarray | None = None
    source: str | Path | np.ndarray | None = dataclasses.field(default=None, repr=False)
    colours: tuple[Colour, ...] = dataclasses.field(default=(), repr=False)

    def filter(self, score: float) -> "Prediction":
        """The same without the objects scored below `score`."""
        kept = self.scores >= score
        return dataclasses.replace(
            self,
            boxes=self.boxes[kept],
            scores=self.scores[kept],
            labels=self.labels[kept],
            masks=None if self.masks is None else self.masks[kept],
        )

    def draw(self, image: ImageLike | None = None, *, scale: float = 1) -> Image.Image:
        """Draw the objects onto `image`, by default the one that was given to the predictor; where
        there is a panoptic map, its segments; where there is only a class of each pixel, these,
        with a legend below.

        `scale` is the picture's size over the image's. Raises UserError if there is no image, or
        if it has another size.
        """
        pixels = self.pixels(image)
        if self.is_semantic:
            return draw_semantic(
                pixels,
                self.semantic,
                class_names=self.class_names,
                colours=self._colours(),
                scale=scale,
            )
        if self.panoptic is not None:
            from vitdet.visualization.panoptic import draw_panoptic  # brings torch along

            return draw_panoptic(pixels, self.panoptic, class_names=self.class_names, scale=scale)
        return draw_instances(
            pixels,
            self.boxes,
            labels=self.labels,
            class_names=self.class_names,
            scores=self.scores,
            masks=self.masks,
            scale=scale,
        )

    def pixels(self, image: ImageLike | None = None) -> np.ndarray:
        """(H, W, 3) RGB pixels of `image` or of the one that was given. Raises as `draw`."""
        image = self.source if image is None else image
        if image is None:
            raise UserError("this prediction does not know its image: give it to draw()")
        pixels = read_image(image) if isinstance(image, str | Path) else pixels_of(image)
        if pixels.shape[:2] != self.image_size:
            raise UserError(
                f"the image is {_by(pixels.shape)}, the prediction is for {_by(self.image_size)}"
            )
        return pixels

    @property
    def is_semantic(self) -> bool:
        """Whether the class of each pixel is all that the model gives."""
        return self.semantic is not None and self.panoptic is None and not len(self.boxes)

    def semantic_image(self) -> Image.Image:
        """The map of classes as a palette image: the value of a pixel is its class.

        Saved as PNG it loads back as a label file. Raises UserError if the model gives no map.
        """
        if self.semantic is None:
            raise UserError("the model gives no class of each pixel: there is no map to write")
        return index_png(self.semantic, self._colours())

    def _colours(self) -> Sequence[Colour]:
        return self.colours or class_colours({"classes": self.class_names})

    def to_coco(
        self, *, image_id: int, category_ids: Sequence[int] | None = None
    ) -> list[dict[str, Any]]:
        """Entries of a COCO result file, ready for json.

        `category_ids` gives the id of each class; by default they count from 1, as COCO's do.
        """
        category_ids = category_ids or range(1, len(self.class_names) + 1)
        entries = []
        for (x1, y1, x2, y2), score, label in zip(
            self.boxes.tolist(), self.scores.tolist(), self.labels.tolist(), strict=True
        ):
            entries.append(
                {
                    "image_id": image_id,
                    "category_id": category_ids[label],
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "score": score,
                }
            )
        if self.masks is not None:
            for entry, code in zip(entries, encode_masks(self.masks), strict=True):
                entry["segmentation"] = code
        return entries

    def to_supervision(self) -> "supervision.Detections":
        """The objects as `Detections` of the package supervision, for its trackers and annotators.

        Raises UserError if the package is not installed.
        """
        try:
            import supervision
        except ImportError:
            raise UserError(
                "to_supervision() needs the package supervision: pip install supervision"
            ) from None
        return supervision.Detections(
            xyxy=self.boxes,
            mask=self.masks,
            confidence=self.scores,
            class_id=self.labels,
            data={"class_name": np.array(self.class_names)[self.labels]},
        )


def _by(shape: Sequence[int]) -> str:
    return f"{shape[1]}x{shape[0]}"
