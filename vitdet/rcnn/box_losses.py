"""Losses of a box head (Girshick 2015, arXiv:1504.08083, 2.3), those of mmdet's `BBoxHead`."""

from typing import Any

import torch
from mmdet.models.losses.accuracy import accuracy
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from torch import Tensor

from vitdet.rcnn import box_deltas
from vitdet.rcnn.roi_samples import RoISamples


def are_known(head: Any) -> bool:
    """Whether `box_losses` computes what this head does."""
    return (
        isinstance(head, BBoxHead)
        and type(head).loss is BBoxHead.loss
        and type(head).get_targets is BBoxHead.get_targets
        and not (head.custom_activation or head.custom_cls_channels)
        and head.with_cls
        and head.with_reg
        and box_deltas.is_known(head.bbox_coder)
    )


def box_losses(
    head: BBoxHead, logits: Tensor, deltas: Tensor, samples: RoISamples, *, object_weight: float
) -> dict[str, Tensor]:
    """`loss_cls`, `acc` in percent, and `loss_bbox` of the samples.

    Args:
        head: whose losses and box coder are used.
        logits: (R, K + 1), background last.
        deltas: (R, 4 * K), or (R, 4) for all classes the same.
        samples: the R regions.
        object_weight: of regions with an object in the loss of classes, if above 0.
    """
    num_rois = len(samples.labels)
    if num_rois == 0:
        return dict(loss_cls=logits.sum(), acc=logits.new_zeros(1), loss_bbox=deltas.sum())
    weights = torch.ones_like(samples.labels, dtype=torch.float)
    if object_weight > 0:
        weights = torch.where(samples.labels < head.num_classes, object_weight, weights)
    loss_cls = head.loss_cls(logits, samples.labels, weights, avg_factor=float(num_rois))
    return dict(
        loss_cls=loss_cls,
        acc=accuracy(logits, samples.labels),
        loss_bbox=_loss_of_boxes(head, deltas, samples),
    )


def _loss_of_boxes(head: BBoxHead, deltas: Tensor, samples: RoISamples) -> Tensor:
    deltas = samples.positive(deltas).unflatten(1, (-1, 4))  # (P, K or 1, 4)
    if len(deltas) == 0:
        return deltas.sum()
    if head.reg_class_agnostic:
        deltas = deltas[:, 0]
    else:
        labels = samples.positive(samples.labels)
        deltas = deltas.gather(1, labels[:, None, None].expand(-1, 1, 4))[:, 0]
    boxes = samples.positive(samples.rois)[:, 1:]
    targets = samples.positive(samples.targets)
    if head.reg_decoded_bbox:
        deltas = box_deltas.decode(head.bbox_coder, boxes, deltas)
    else:
        targets = box_deltas.encode(head.bbox_coder, boxes, targets)
    return head.loss_bbox(deltas, targets, avg_factor=len(samples.labels))
