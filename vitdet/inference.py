"""A checkpoint in, results out."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from mmcv.transforms import Compose, LoadAnnotations, LoadImageFromFile
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import BaseDataElement
from PIL import Image

from vitdet.checkpoints import load_checkpoint
from vitdet.checkpoints.embedded_config import (
    embedded_config,
    embedded_model,
    embedded_scope,
    embedded_test_pipeline,
)
from vitdet.checkpoints.files import read_checkpoint
from vitdet.datasets.image_sources import ImageLike, images_of, pixels_of
from vitdet.datasets.images import read_image
from vitdet.device import resolve_device
from vitdet.errors import UserError
from vitdet.evaluation.rle import encode_masks
from vitdet.visualization.colours import Colour
from vitdet.visualization.draw import draw_instances
from vitdet.visualization.panoptic import draw_panoptic
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


class Predictor:
    """A trained model and how to prepare images for it, all from one checkpoint.

    The checkpoint, ours or one that mmdet trained, carries its config and class names; the config
    is read as data and nothing in it is executed (see `vitdet.checkpoints.embedded_config`).

    Args:
        checkpoint: file or URL.
        device: "cpu", "cuda", "cuda:1", "mps"; by default the best there is.
        trusted_modules: modules of yours whose classes the config may name.

    Raises UserError if the checkpoint is unreadable, unsafe, or not complete in itself.
    """

    def __init__(
        self,
        checkpoint: str | Path,
        device: str | torch.device | None = None,
        *,
        trusted_modules: Sequence[str] = (),
    ) -> None:
        self.device = resolve_device(device)
        content = read_checkpoint(checkpoint)
        trusted = tuple(trusted_modules)
        try:
            config = embedded_config(content)
            model = embedded_model(config, trusted_modules=trusted)
            pipeline = embedded_test_pipeline(config, trusted_modules=trusted)
            scope = embedded_scope(config, trusted_modules=trusted)
            meta = _dataset_meta(content)
        except UserError as error:
            raise UserError(f"{checkpoint}: {error}") from error
        self.class_names, self._colours = meta["classes"], class_colours(meta)
        self.thing_names = tuple(meta.get("thing_classes", ()))
        with DefaultScope.overwrite_default_scope(scope):
            self.model = MODELS.build(model)
            self._reader, self._transforms = _split_pipeline(pipeline)
        load_checkpoint(self.model, content, source=checkpoint)
        self.model.to(self.device).eval()

    def __call__(
        self, images: ImageLike | Iterable[ImageLike], *, batch_size: int = 1
    ) -> list[Prediction]:
        """Find objects in one image or several; always returns a list, in their order.

        Images are files or their http(s) URLs, arrays (H, W, 3) of uint8 in RGB order, tensors
        (3, H, W) of uint8 or of floats from 0 to 1, or Pillow images. A folder stands for the
        images in it, a pattern such as "photos/*.jpg" for what matches, a video for its frames,
        an array or tensor with a first axis more for its parts. Files are read as in training, by
        OpenCV and turned upright as their EXIF tag says; Pillow images are turned as well. In a
        batch, images are padded to the largest of them, which changes results in the last digits;
        hence `batch_size` is 1 unless you prefer speed.

        Raises UserError if a file is missing or no image, a URL cannot be fetched, or an array is
        of another kind.
        """
        return list(self.stream(images, batch_size=batch_size))

    @torch.inference_mode()
    def stream(
        self, images: ImageLike | Iterable[ImageLike], *, batch_size: int = 1
    ) -> Iterator[Prediction]:
        """The same one by one: of a long video, never more than a batch is held."""
        if batch_size < 1:
            raise UserError(f"batch_size={batch_size}: it counts images, at least 1")
        sources = images_of(images)
        while batch := [source.image for source in islice(sources, batch_size)]:
            packed = [self._prepare(image) for image in batch]
            samples = self.model.test_step(
                {key: [one[key] for one in packed] for key in ("inputs", "data_samples")}
            )
            for image, sample in zip(batch, samples, strict=True):
                yield to_prediction(sample, self.class_names, colours=self._colours, source=image)

    def _prepare(self, image: Path | np.ndarray) -> dict[str, Any]:
        """Read an image and apply the test transforms."""
        if isinstance(image, Path):
            loaded = self._read(image)
        else:
            pixels = image[..., ::-1]  # the transforms work on BGR, as OpenCV reads
            if self._reader.to_float32:
                pixels = pixels.astype(np.float32)
            size = pixels.shape[:2]
            loaded = {"img": pixels, "img_path": None, "img_shape": size, "ori_shape": size}
        loaded["img_id"] = 0  # packed by mmdet's transforms, used by nobody here
        return self._transforms(loaded)

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            return self._reader({"img_path": str(path)})
        except FileNotFoundError:
            raise UserError(f"image not found: {path}") from None
        except (AssertionError, OSError) as error:  # how mmcv reports what it cannot decode
            raise UserError(f"{path} is not an image that can be read ({error})") from None


def to_prediction(
    sample: BaseDataElement,
    class_names: Sequence[str],
    *,
    colours: Sequence[Colour] = (),
    source: str | Path | np.ndarray | None = None,
) -> Prediction:
    """Convert a data sample of mmdet or mmseg, as a model's `predict` returns it.

    A classifier's five best classes come as boxes around the whole image.
    """
    height, width = sample.ori_shape[:2]
    if "pred_scores" in sample:
        return _classes_as_boxes(sample, class_names, source=source)
    found = sample.get("pred_instances")
    if found is not None and (found.scores.diff() > 0).any():  # Mask2Former's are in any order
        found = found[found.scores.argsort(descending=True, stable=True)]
    masks = None if found is None else found.get("masks")
    semantic = sample.get("pred_sem_seg")
    panoptic = sample.get("pred_panoptic_seg")
    return Prediction(
        boxes=np.zeros((0, 4), np.float32) if found is None else _numpy(found.bboxes),
        scores=np.zeros(0, np.float32) if found is None else _numpy(found.scores),
        labels=np.zeros(0, np.int64) if found is None else _numpy(found.labels),
        class_names=tuple(class_names),
        image_size=(height, width),
        masks=None if masks is None else _numpy(masks).astype(bool, copy=False),
        # mmseg names the map `data`, mmdet `sem_seg`; both are (1, H, W).
        semantic=None if semantic is None else _numpy(next(iter(semantic.values())))[0],
        panoptic=None if panoptic is None else _numpy(panoptic.sem_seg)[0],
        source=source,
        colours=tuple(colours),
    )


def _classes_as_boxes(
    sample: BaseDataElement,
    class_names: Sequence[str],
    *,
    source: str | Path | np.ndarray | None,
) -> Prediction:
    height, width = sample.ori_shape[:2]
    best = sample.pred_scores.topk(min(5, len(class_names)))
    return Prediction(
        boxes=np.tile(np.float32([0, 0, width, height]), (len(best.values), 1)),
        scores=_numpy(best.values),
        labels=_numpy(best.indices),
        class_names=tuple(class_names),
        image_size=(height, width),
        source=source,
    )


def _split_pipeline(pipeline: Sequence[Any]) -> tuple[LoadImageFromFile, Compose]:
    """The transform that reads an image, and the others without those that read annotations."""
    reader, *others = Compose(pipeline).transforms
    if not isinstance(reader, LoadImageFromFile):
        raise UserError(
            f"the test pipeline starts with {type(reader).__name__}; a Predictor needs one that "
            "starts with LoadImageFromFile"
        )
    return reader, Compose([one for one in others if not isinstance(one, LoadAnnotations)])


def _dataset_meta(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """What the checkpoint says about its data; it has `classes`."""
    meta = checkpoint["meta"].get("dataset_meta") or {}
    for key in ("classes", "CLASSES"):  # mmengine's releases differ in case
        if key in meta:
            return {**meta, "classes": tuple(meta[key])}
    raise UserError("the checkpoint carries no class names (meta.dataset_meta.classes)")


def _numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def _by(shape: Sequence[int]) -> str:
    return f"{shape[1]}x{shape[0]}"
