"""`visualize data`: training batches as the model sees them, after all that is done to images."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from PIL import Image
from torch import Tensor, nn

from vitdet.errors import UserError
from vitdet.insight.heat import resized
from vitdet.insight.model_view import image_shape, pixels_of_input
from vitdet.insight.sheet import Group, Panel, write_sheet
from vitdet.visualization.draw import draw_instances
from vitdet.visualization.semantic import class_colours, tint

_NOTE = "Images and labels after augmentation and normalization, batch by batch; grey is padding."


def draw_batches(
    config: Config,
    *,
    num_batches: int = 1,
    seed: int = 0,
    side: int = 320,
    out: str | Path | None = "data.png",
    html: str | Path | None = None,
    columns: int = 4,
) -> list[Path]:
    """Draw the first training batches of a config, as PNG, as a page, or both.

    Args:
        config: complete, from `load_config`.
        num_batches: how many.
        seed: of the order and of what is done to the images.
        side: pixels of a picture's longer side.
        out: PNG to write.
        html: page to write.
        columns: pictures in a row.

    Returns the files. Raises UserError if the config has no training data.
    """
    loader = config.get("train_dataloader")
    if loader is None:
        raise UserError(f"{config.filename}: it has no train_dataloader, so nothing to draw")
    loader = {**loader, "num_workers": 0, "persistent_workers": False}
    with DefaultScope.overwrite_default_scope(config.default_scope):
        batches = Runner.build_dataloader(loader, seed=seed)
        preprocessor = MODELS.build(config.model["data_preprocessor"])
    metainfo = batches.dataset.metainfo
    groups = []
    for number, batch in enumerate(islice(batches, num_batches)):
        prepared = preprocessor(batch, True)
        panels = list(_panels(prepared, preprocessor, metainfo, side))
        size = " x ".join(str(length) for length in prepared["inputs"].shape)
        groups.append(Group(f"batch {number}: {size}", panels))
    title = f"Training batches of {Path(config.filename).stem}"
    return write_sheet(groups, title=title, note=_NOTE, columns=columns, out=out, html=html)


def _panels(
    batch: dict[str, Any], preprocessor: nn.Module, metainfo: dict[str, Any], side: int
) -> Iterator[Panel]:
    for inputs, sample in zip(batch["inputs"], batch["data_samples"], strict=True):
        yield _panel(inputs, sample, preprocessor, metainfo, side)


def _panel(
    inputs: Tensor,
    sample: BaseDataElement,
    preprocessor: nn.Module,
    metainfo: dict[str, Any],
    side: int,
) -> Panel:
    """One image of a batch: its pixels, its labels, and grey where it is padded."""
    pixels, names = pixels_of_input(inputs, preprocessor), metainfo["classes"]
    height, width = image_shape(sample, inputs)
    name = Path(sample.get("img_path") or "").stem
    scale = side / max(pixels.shape[:2])
    is_padding = np.ones(pixels.shape[:2], bool)
    is_padding[:height, :width] = False
    pixels[is_padding] = 128
    caption = f"{name}, {width} x {height}".lstrip(", ")
    if "gt_sem_seg" in sample:
        labels = sample.gt_sem_seg.data[0].cpu().numpy()
        labels = np.where(is_padding, len(names), labels)
        picture = tint(pixels, labels, class_colours(metainfo), scale=scale)
        return Panel(picture, caption)
    if "gt_instances" in sample:
        objects = sample.gt_instances
        return Panel(
            _draw_objects(pixels, objects, names, scale), f"{caption}, {len(objects)} objects"
        )
    return Panel(resized(pixels, side), f"{caption}{_classes(sample, names)}")


def _draw_objects(
    pixels: np.ndarray, objects: BaseDataElement, names: Sequence[str], scale: float
) -> Image.Image:
    boxes = objects.bboxes
    boxes = boxes.tensor if hasattr(boxes, "tensor") else boxes  # mmdet's boxes, or plain ones
    masks = objects.get("masks")
    if masks is not None:
        masks = masks.to_ndarray() if hasattr(masks, "to_ndarray") else np.asarray(masks)
        height, width = (min(a, b) for a, b in zip(masks.shape[1:], pixels.shape[:2], strict=True))
        whole = np.zeros((len(masks), *pixels.shape[:2]), bool)
        whole[:, :height, :width] = masks[:, :height, :width]
        masks = whole
    return draw_instances(
        pixels,
        boxes.cpu().numpy(),
        labels=objects.labels.cpu().numpy(),
        class_names=names,
        masks=masks,
        scale=scale,
    )


def _classes(sample: BaseDataElement, names: Sequence[str]) -> str:
    """The class of a classifier's image."""
    if "gt_label" not in sample:
        return ""
    return f", {names[int(sample.gt_label)]}"
