"""Anchors laid out once for each shape of the maps."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmdet.models.task_modules.prior_generators import AnchorGenerator
from torch import Tensor

from vitdet.device import to_device

_SHAPES_KEPT = 32  # images of many sizes; at 800x1344 an entry takes 6 MiB
Sizes = Sequence[tuple[int, int]]


class Anchors(NamedTuple):
    """Anchors of all levels, one after another.

    Attributes:
        boxes: (N, 4) xyxy in pixels.
        cells: (N, 2) x and y of the upper left corner of the map's cell, in pixels.
        level_sizes: how many each level has.
    """

    boxes: Tensor
    cells: Tensor
    level_sizes: list[int]

    def are_inside(
        self, padded_shapes: Sizes, image_shapes: Sizes, allowed_border: float
    ) -> Tensor:
        """Whether an image has each of the anchors, (B, N).

        Args:
            padded_shapes: (height, width) of each image with its own padding: cells beyond have no
                anchors.
            image_shapes: without; anchors that stick out are left out, unless `allowed_border` < 0.
            allowed_border: pixels by which an anchor may stick out.
        """
        device = self.boxes.device
        height, width = _columns(padded_shapes, device)
        inside = (self.cells[:, 0] < width) & (self.cells[:, 1] < height)
        if allowed_border >= 0:
            height, width = _columns(image_shapes, device)
            x1, y1, x2, y2 = self.boxes.unbind(1)
            inside &= (x1 >= -allowed_border) & (y1 >= -allowed_border)
            inside &= (x2 < width + allowed_border) & (y2 < height + allowed_border)
        return inside


class AnchorCache:
    """Keeps the anchors of the shapes and devices that came last."""

    def __init__(self, generator: AnchorGenerator) -> None:
        self.generator = generator
        self._kept: dict[tuple, Anchors] = {}

    def __call__(self, sizes: Sizes, device: torch.device) -> Anchors:
        """Anchors of maps of these sizes (height, width), one for each level."""
        key = (tuple(sizes), device)
        anchors = self._kept.pop(key, None) or self._lay_out(sizes, device)
        self._kept[key] = anchors  # the last one now
        if len(self._kept) > _SHAPES_KEPT:
            del self._kept[next(iter(self._kept))]
        return anchors

    def _lay_out(self, sizes: Sizes, device: torch.device) -> Anchors:
        boxes = self.generator.grid_priors(sizes, device="cpu")
        cells = []
        settings = zip(sizes, self.generator.strides, self.generator.num_base_priors, strict=True)
        for (height, width), (stride_x, stride_y), number in settings:
            y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
            corners = torch.stack([x * stride_x, y * stride_y], dim=-1).view(-1, 2)
            cells.append(corners.repeat_interleave(number, dim=0))
        level_sizes = [len(level) for level in boxes]
        both = (to_device(torch.cat(part), device) for part in (boxes, cells))
        return Anchors(*both, level_sizes)


def _columns(shapes: Sizes, device: torch.device) -> tuple[Tensor, Tensor]:
    """Heights and widths, both (B, 1)."""
    table = to_device(torch.tensor([shape[:2] for shape in shapes]), device)
    return table[:, :1], table[:, 1:]
