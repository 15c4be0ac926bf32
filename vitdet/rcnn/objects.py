"""The objects of a batch, padded to the same number in each image."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmengine.structures import InstanceData
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from vitdet.device import to_device


class Boxes(NamedTuple):
    """Boxes of every image.

    Attributes:
        boxes: (B, T, 4) xyxy in pixels, 0 where there is none; T is 1 at least.
        is_there: (B, T).
        counts: how many each image has; they come first.
    """

    boxes: Tensor
    is_there: Tensor
    counts: list[int]


class Objects(NamedTuple):
    """What is to be found in every image.

    Attributes:
        boxes: (B, T, 4) xyxy in pixels, 0 where there is none; T is 1 at least.
        is_there: (B, T).
        counts: how many each image has; they come first.
        labels: (B, T), 0 where there is none.
        ignored: regions in which nothing counts as background, if there are any.
    """

    boxes: Tensor
    is_there: Tensor
    counts: list[int]
    labels: Tensor
    ignored: Boxes | None


def padded(boxes: Sequence[Tensor]) -> Boxes:
    """Boxes of each image, (T_i, 4), side by side."""
    counts = [len(each) for each in boxes]
    longest = max(*counts, 1)
    is_there = torch.arange(longest) < torch.tensor(counts)[:, None]
    together = pad_sequence([*boxes, boxes[0].new_zeros(longest, 4)], batch_first=True)[:-1]
    return Boxes(together, to_device(is_there, together.device), counts)


def objects_of(
    instances: Sequence[InstanceData], ignored: Sequence[InstanceData | None]
) -> Objects:
    """Those of mmdet's `gt_instances` and `ignored_instances`."""
    boxes = padded([each.bboxes for each in instances])
    labels = [each.labels for each in instances]
    labels = pad_sequence([*labels, labels[0].new_zeros(boxes.boxes.shape[1])], batch_first=True)
    none = boxes.boxes.new_zeros(0, 4)
    regions = [none if each is None else each.bboxes for each in ignored]
    has_regions = any(len(each) for each in regions)
    return Objects(*boxes, labels[:-1], padded(regions) if has_regions else None)
