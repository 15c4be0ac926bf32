"""A checkpoint in, results out: the predictor that computes with torch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmcv.transforms import Compose, LoadAnnotations, LoadImageFromFile
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import BaseDataElement

from vitdet.checkpoints import load_checkpoint
from vitdet.checkpoints.embedded_config import (
    embedded_config,
    embedded_model,
    embedded_scope,
    embedded_test_pipeline,
)
from vitdet.checkpoints.files import read_checkpoint
from vitdet.device import resolve_device
from vitdet.errors import UserError
from vitdet.inference.prediction import Prediction
from vitdet.inference.predictor import Predictor, too_narrow
from vitdet.layers.winograd import use_winograd
from vitdet.visualization.colours import Colour
from vitdet.visualization.semantic import class_colours


class TorchPredictor(Predictor):
    """What `Predictor` makes of a checkpoint; arguments as there."""

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
        self.class_names, self.colours = meta["classes"], class_colours(meta)
        self.thing_names = tuple(meta.get("thing_classes", ()))
        with DefaultScope.overwrite_default_scope(scope):
            self.model = use_winograd(MODELS.build(model))
            self._reader, self.transforms = _split_pipeline(pipeline)
        load_checkpoint(self.model, content, source=checkpoint)
        self.model.to(self.device).eval()

    @property
    def scale(self) -> tuple[int, int] | None:
        """Longer and shorter side that images are resized into; None where it is not that simple.

        May be set, to predict at another size than the recipe's.
        """
        resize = self._resize()
        return resize and (int(max(resize.scale)), int(min(resize.scale)))

    @scale.setter
    def scale(self, sides: tuple[int, int]) -> None:
        resize = self._resize()
        if resize is None:
            raise UserError("the test pipeline has no Resize with a scale: the size stays as it is")
        resize.scale = (max(sides), min(sides))

    def _resize(self) -> Any | None:
        """The transform that resizes images."""
        for transform in self.transforms.transforms:
            scale = getattr(transform, "scale", None)
            if isinstance(scale, tuple | list) and len(scale) == 2:
                return transform
        return None

    @torch.inference_mode()
    def _predict(self, batch: Sequence[Path | np.ndarray]) -> list[Prediction]:
        packed = [self.prepare(image) for image in batch]
        samples = self.model.test_step(
            {key: [one[key] for one in packed] for key in ("inputs", "data_samples")}
        )
        return [
            to_prediction(sample, self.class_names, colours=self.colours, source=image)
            for image, sample in zip(batch, samples, strict=True)
        ]

    def prepare(self, image: Path | np.ndarray) -> dict[str, Any]:
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
        try:
            return self.transforms(loaded)
        except cv2.error as error:
            raise too_narrow(loaded["img"].shape) from error

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
