"""Non-maximum suppression for a fixed number of boxes, of all images at once."""

import torch
from torch import Tensor


def suppress(boxes: Tensor, scores: Tensor, groups: Tensor, *, iou_threshold: float) -> Tensor:
    """Scores: (B, N), 0 of what a better box of its image and group overlaps too much.

    Boxes of different groups are moved apart, as mmdet's `batched_nms` does.

    Args:
        boxes: (B, N, 4) xyxy in pixels, inside of the images.
        scores: (B, N).
        groups: (B, N) from 0: what does not suppress each other has different ones.
        iou_threshold: from above which it is too much.
    """
    span = boxes.max() + 1
    groups = groups + (groups.max() + 1) * torch.arange(boxes.shape[0])[:, None]
    apart = boxes + (groups * span)[..., None]
    kept = torch.ops.torchvision.nms(apart.flatten(0, 1), scores.flatten(), iou_threshold)
    is_kept = torch.zeros_like(scores.flatten()).index_fill(0, kept, 1.0)
    return scores * is_kept.view(scores.shape)


def best(scores: Tensor, number: int, *others: Tensor) -> tuple[Tensor, ...]:
    """The `number` highest of scores: (B, N), and what belongs to them in others: (B, N, ...)."""
    scores, places = scores.topk(torch.sym_min(number, scores.shape[1]), dim=1)
    return scores, *(_gathered(other, places) for other in others)


def _gathered(values: Tensor, places: Tensor) -> Tensor:
    if values.ndim == 2:
        return values.gather(1, places)
    return values.gather(1, places[..., None].expand(-1, -1, values.shape[2]))
