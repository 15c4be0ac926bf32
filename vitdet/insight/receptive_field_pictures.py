"""`visualize receptive-field`: the fields of several backbones, stage by stage, in one figure."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from vitdet.datasets.image_sources import images_of
from vitdet.datasets.images import read_image
from vitdet.datasets.shape_scene import lay_out, paint
from vitdet.device import resolve_device
from vitdet.errors import UserError
from vitdet.insight.heat import colour_map
from vitdet.insight.named_backbones import named_backbones
from vitdet.insight.receptive_field import ReceptiveField, receptive_fields
from vitdet.insight.sheet import Group, Panel, write_sheet

_MEAN, _STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
_NOTE = (
    "Mean absolute gradient of a feature in the middle of each stage to the pixels, random signs "
    "over channels; its fourth root, black is none. Below: the sides of the squares around the "
    "middle that hold half and 99 % of it."
)


def draw_receptive_fields(
    models: Sequence[str],
    *,
    images: Sequence[str | Path] = (),
    num_images: int = 8,
    size: int = 224,
    side: int = 200,
    out: str | Path | None = "receptive_field.png",
    html: str | Path | None = None,
    columns: int = 4,
    device: str | None = None,
) -> list[Path]:
    """Draw the receptive fields of backbones, as PNG, as a page, or both; returns the files.

    Args:
        models: checkpoints, configs or names, see `named_backbones`.
        images: photos to average over; by default generated ones.
        num_images: how many of them at most.
        size: side in pixels that images are cut and resized to.
        side: of the pictures, in pixels.
        out: PNG to write.
        html: page to write.
        columns: pictures in a row.
        device: "cpu", "cuda" or "mps".

    Raises UserError as `named_backbones` and `Predictor` do.
    """
    if size < 32 or num_images < 1:
        raise UserError(f"--size {size}, --num-images {num_images}: at least 32 and 1")
    device = resolve_device(device)
    batch = list(_batch(images, num_images, size))
    groups = []
    for model in models:
        for title, backbone in named_backbones(model, device=str(device)):
            backbone.to(device)
            fields = receptive_fields(backbone, (image.to(device) for image in batch))
            groups.append(Group(title, [_panel(field, side) for field in fields]))
    return write_sheet(
        groups, title="Receptive fields", note=_NOTE, columns=columns, out=out, html=html
    )


def _panel(field: ReceptiveField, side: int) -> Panel:
    half, most = field.width_of(0.5), field.width_of(0.99)
    heat = colour_map(field.field.pow(0.25).numpy(), side)
    caption = f"{field.name}, stride {field.stride:g}: half in {half} px, 99 % in {most} px"
    return Panel(heat, caption)


def _batch(images: Sequence[str | Path], num_images: int, size: int) -> Iterator[Tensor]:
    """Normalized images (3, size, size), of photos their middle squares."""
    if images:
        sources = (one.image for one in islice(images_of(list(images)), num_images))
        pixels = (read_image(one) if isinstance(one, Path) else one for one in sources)
    else:
        pixels = (_generated(number, size) for number in range(num_images))
    mean, std = torch.tensor(_MEAN).view(3, 1, 1), torch.tensor(_STD).view(3, 1, 1)
    for image in pixels:
        height, width = image.shape[:2]
        short = min(height, width)
        top, left = (height - short) // 2, (width - short) // 2
        square = np.ascontiguousarray(image[top : top + short, left : left + short])
        square = cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA)
        yield (torch.from_numpy(square).permute(2, 0, 1) - mean) / std


def _generated(number: int, size: int) -> np.ndarray:
    """One of the scenes of the data set `shapes`, (size, size, 3) uint8 RGB."""
    layout, painting = np.random.default_rng(number).spawn(2)
    return paint(lay_out(layout, size), painting, size)[..., ::-1]
