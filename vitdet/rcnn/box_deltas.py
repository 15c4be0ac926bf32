"""Boxes relative to others (Girshick et al. 2014, arXiv:1311.2524, appendix C), as mmdet's
`DeltaXYWHBBoxCoder` has them, for any number of leading dimensions.

Its own functions send means and limits to the device in every call, and take one image at a time.
"""

import math

import torch
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder
from torch import Tensor

_LARGEST_LOG = abs(math.log(16 / 1000))  # of the share by which a side may grow or shrink


def is_known(coder: object) -> bool:
    """Whether the functions here do what this coder does."""
    return type(coder) is DeltaXYWHBBoxCoder and not (coder.add_ctr_clamp or coder.use_box_type)


def encode(coder: DeltaXYWHBBoxCoder, boxes: Tensor, targets: Tensor) -> Tensor:
    """Deltas (..., 4) that bring boxes: (..., 4) to targets: (..., 4), all xyxy in pixels."""
    boxes, targets = boxes.float(), targets.float()
    size, target_size = (b[..., 2:] - b[..., :2] for b in (boxes, targets))
    centre, target_centre = ((b[..., :2] + b[..., 2:]) * 0.5 for b in (boxes, targets))
    deltas = torch.cat([(target_centre - centre) / size, torch.log(target_size / size)], dim=-1)
    if any(coder.means) or any(std != 1 for std in coder.stds):
        columns = zip(deltas.unbind(-1), coder.means, coder.stds, strict=True)
        deltas = torch.stack([(column - mean) / std for column, mean, std in columns], dim=-1)
    return deltas


def decode(
    coder: DeltaXYWHBBoxCoder, boxes: Tensor, deltas: Tensor, limits: Tensor | None = None
) -> Tensor:
    """The boxes (..., 4) xyxy to which deltas: (..., 4) bring boxes: (..., 4).

    limits: (..., 2) width and height of the image, to which the result is clipped.
    """
    boxes, deltas = boxes.float(), deltas.float()
    if any(coder.means) or any(std != 1 for std in coder.stds):
        columns = zip(deltas.unbind(-1), coder.means, coder.stds, strict=True)
        deltas = torch.stack([column * std + mean for column, mean, std in columns], dim=-1)
    size = boxes[..., 2:] - boxes[..., :2]
    centre = (boxes[..., :2] + boxes[..., 2:]) * 0.5 + size * deltas[..., :2]
    half = size * deltas[..., 2:].clamp(-_LARGEST_LOG, _LARGEST_LOG).exp() * 0.5
    corners = centre - half, centre + half
    if limits is not None and coder.clip_border:
        corners = (torch.minimum(corner.clamp(min=0), limits) for corner in corners)
    return torch.cat(tuple(corners), dim=-1)
