"""Which object a box belongs to (Ren et al. 2015, arXiv:1506.01497, section 3.1.2).

The rules and results of mmdet's `MaxIoUAssigner`, for all images together, without its loop over
objects: of the objects that a box is the best of, the last wins.
"""

import torch
from mmdet.models.task_modules.assigners import BboxOverlaps2D, MaxIoUAssigner
from torch import Tensor

from vitdet.rcnn.objects import Objects

IGNORED, BACKGROUND = -1, 0  # an object is its place in the image plus 1


def is_known(rule: object) -> bool:
    """Whether `assign` does what this assigner does."""
    return (
        type(rule) is MaxIoUAssigner
        and rule.perm_repeat_gt_cfg is None
        and type(rule.iou_calculator) is BboxOverlaps2D
        and not (rule.iou_calculator.dtype or rule.gpu_assign_thr > 0)
    )


@torch.no_grad()
def assign(boxes: Tensor, is_box: Tensor | None, objects: Objects, rule: MaxIoUAssigner) -> Tensor:
    """For each box IGNORED, BACKGROUND or 1 + the place of its object: (B, N).

    Args:
        boxes: (B, N, 4), or (N, 4) the same for all images; xyxy in pixels.
        is_box: (B, N), the others are ignored and no object's best; None if all are.
        objects: of the B images.
        rule: thresholds and what happens to boxes below them.
    """
    boxes = boxes.expand(len(objects.boxes), -1, 4)
    if boxes.device.type != "cpu":
        return _assigned(boxes, is_box, objects, rule)
    # Image by image the overlaps stay in the cache, and nothing is spent on padding.
    parts = []
    for image, count in enumerate(objects.counts):
        here, there = slice(image, image + 1), slice(max(count, 1))
        regions = objects.ignored
        if regions is not None:
            regions = regions._replace(boxes=regions.boxes[here], is_there=regions.is_there[here])
        own = Objects(
            objects.boxes[here, there],
            objects.is_there[here, there],
            [count],
            objects.labels[here, there],
            regions,
        )
        parts.append(_assigned(boxes[here], None if is_box is None else is_box[here], own, rule))
    return torch.cat(parts)


def _assigned(
    boxes: Tensor, is_box: Tensor | None, objects: Objects, rule: MaxIoUAssigner
) -> Tensor:
    shares = overlaps(objects.boxes, boxes)  # (B, T, N)
    shares.masked_fill_(~objects.is_there[..., None], 0.0)
    is_out = None if is_box is None else ~is_box
    if rule.ignore_iof_thr > 0 and objects.ignored is not None:
        is_in_region = _is_ignored(boxes, objects, rule)
        is_out = is_in_region if is_out is None else is_out | is_in_region
    if is_out is not None:
        shares.masked_fill_(is_out[:, None], -1.0)

    best, place = shares.max(dim=1)  # (B, N)
    bounds = rule.neg_iou_thr
    low, high = bounds if isinstance(bounds, tuple) else (0.0, bounds)
    is_background = (best >= low) & (best < high)
    assigned = torch.where(is_background, BACKGROUND, IGNORED)
    has_objects = objects.is_there[:, :1]
    is_object = (best >= rule.pos_iou_thr) & has_objects
    assigned = torch.where(is_object, place + 1, assigned)
    if rule.match_low_quality:
        best_of = _best_of(shares, objects.is_there, rule)
        assigned = torch.where(best_of > 0, best_of.to(assigned.dtype), assigned)
    assigned = torch.where(has_objects, assigned, BACKGROUND)
    return assigned if is_box is None else torch.where(is_box, assigned, IGNORED)


def overlaps(objects: Tensor, boxes: Tensor, *, of_boxes: bool = False) -> Tensor:
    """Shares (B, T, N) of intersection and union; with `of_boxes`, and the box alone.

    objects: (B, T, 4), boxes: (B, N, 4), both xyxy.
    """
    objects, boxes = objects.float(), boxes.float()
    x1, y1, x2, y2 = (side[:, :, None] for side in objects.unbind(-1))
    bx1, by1, bx2, by2 = (side[:, None] for side in boxes.unbind(-1))
    shared = torch.minimum(x2, bx2).sub_(torch.maximum(x1, bx1)).clamp_(min=0)
    shared.mul_(torch.minimum(y2, by2).sub_(torch.maximum(y1, by1)).clamp_(min=0))
    area = (bx2 - bx1) * (by2 - by1)
    whole = area if of_boxes else ((x2 - x1) * (y2 - y1) + area).sub_(shared)
    return shared.div_(whole.clamp(min=1e-6))


def _best_of(shares: Tensor, is_there: Tensor, rule: MaxIoUAssigner) -> Tensor:
    """(B, N): 1 + the place of the last object that the box overlaps as much as any, 0 if none."""
    most, where = shares.max(dim=2, keepdim=True)  # (B, T, 1)
    counts = is_there[..., None] & (most >= rule.min_pos_iou)
    if rule.gt_max_assign_all:
        is_best = (shares == most) & counts
    else:
        is_best = torch.zeros_like(shares, dtype=torch.bool).scatter_(2, where, counts)
    numbers = torch.arange(1, shares.shape[1] + 1, dtype=torch.int32, device=shares.device)
    return torch.where(is_best, numbers[:, None], 0).amax(dim=1)


def _is_ignored(boxes: Tensor, objects: Objects, rule: MaxIoUAssigner) -> Tensor:
    """(B, N): whether the box lies in a region that is ignored."""
    regions = objects.ignored
    if rule.ignore_wrt_candidates:
        shares = overlaps(regions.boxes, boxes, of_boxes=True)
    else:
        shares = overlaps(boxes, regions.boxes, of_boxes=True).transpose(1, 2)
    shares = shares.masked_fill(~regions.is_there[..., None], 0.0)
    return shares.amax(dim=1) > rule.ignore_iof_thr
