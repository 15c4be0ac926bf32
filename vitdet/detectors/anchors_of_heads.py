"""What mmdet's heads over anchors have in common here: their anchors, and the objects of these."""

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.dense_heads import AnchorHead
from mmengine.structures import InstanceData
from torch import Tensor

from vitdet.rcnn.anchors import AnchorCache, Anchors
from vitdet.rcnn.assignment import assign
from vitdet.rcnn.objects import Objects, objects_of

Maps = Sequence[Tensor]


def anchors_of(head: AnchorHead, maps: Maps) -> Anchors:
    """Those of maps (B, C, H_l, W_l), which the head keeps."""
    if not hasattr(head, "_anchor_cache"):
        head._anchor_cache = AnchorCache(head.prior_generator)
    return head._anchor_cache([tuple(each.shape[-2:]) for each in maps], maps[0].device)


def assigned_anchors(
    head: AnchorHead,
    anchors: Anchors,
    instances: Sequence[InstanceData],
    metas: Sequence[dict[str, Any]],
    ignored: Sequence[InstanceData | None] | None,
) -> tuple[Objects, Tensor]:
    """The objects of a batch, and for each anchor what `assign` finds: (B, N).

    Args:
        head: with its assigner.
        anchors: of the batch's maps.
        instances: `bboxes` and `labels` of each image.
        metas: `img_shape` and `pad_shape` of each image.
        ignored: `bboxes` of regions in which nothing is background.
    """
    objects = objects_of(instances, ignored or [None] * len(instances))
    shapes = ([meta[key] for meta in metas] for key in ("pad_shape", "img_shape"))
    inside = anchors.are_inside(*shapes, head.train_cfg["allowed_border"])
    return objects, assign(anchors.boxes, inside, objects, head.assigner)


def flat(maps: Maps, size: int) -> Tensor:
    """What maps of (B, A * size, H_l, W_l) say of each anchor: (B, N, size)."""
    return torch.cat([each.permute(0, 2, 3, 1).reshape(len(each), -1, size) for each in maps], 1)
