"""Box formats and generalized IoU (Rezatofighi et al., CVPR 2019, arXiv:1902.09630)."""

import torch
from torch import Tensor

EPS = 1e-7  # two boxes without area have IoU 0, not 0 / 0


def cxcywh_to_xyxy(boxes: Tensor) -> Tensor:
    """Center, width and height to corners; boxes: (..., 4)."""
    center, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([center - half, center + half], dim=-1)


def xyxy_to_cxcywh(boxes: Tensor) -> Tensor:
    """Corners to center, width and height; boxes: (..., 4)."""
    first, last = boxes[..., :2], boxes[..., 2:]
    return torch.cat([(first + last) / 2, last - first], dim=-1)


def generalized_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """IoU minus the share of the enclosing box that neither box covers, -1 to 1.

    Args:
        boxes: (..., 4) xyxy.
        others: (..., 4) xyxy, of a shape that broadcasts against `boxes`.

    Returns:
        The broadcast shape without its last dimension. Finite for boxes without area.
    """
    # Side by side, (...) each, and in place: the matcher has 10^5 pairs, and temporaries cost most.
    x1, y1, x2, y2 = boxes.unbind(-1)
    u1, v1, u2, v2 = others.unbind(-1)
    width, height, other_width, other_height = x2 - x1, y2 - y1, u2 - u1, v2 - v1
    across = torch.minimum(x2, u2).sub_(torch.maximum(x1, u1))  # below 0 for boxes apart
    down = torch.minimum(y2, v2).sub_(torch.maximum(y1, v1))
    hull = (width + other_width).sub_(across).mul_((height + other_height).sub_(down))
    overlap = across.clamp_(min=0).mul_(down.clamp_(min=0))
    union = (width * height + other_width * other_height).sub_(overlap)
    iou = overlap / union.clamp(min=EPS)
    return (iou + union / hull.clamp_(min=EPS)).sub_(1)
