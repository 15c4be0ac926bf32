"""Suppression of boxes within groups, of one level of one image, with a result of known size.

To the dispatcher it is one operation. A GPU has it done in one call for all groups, at the end of
which the host waits once; on a CPU, where waiting costs nothing, comparing boxes of different
groups would.
"""

import math

import torch
from torch import Tensor

from vitdet.compat.mmcv_ops.nms import nms
from vitdet.device import to_device

_BOXES_AT_ONCE = 32768  # the kernel keeps a bit for each pair: 128 MiB


@torch.library.custom_op("vitdet::nms_of_groups", mutates_args=())
def nms_of_groups(boxes: Tensor, scores: Tensor, sizes: list[int], iou_threshold: float) -> Tensor:
    """Whether each box remains, (N,).

    Args:
        boxes: (N, 4) xyxy, none below 0. One without an area suppresses nothing.
        scores: (N,).
        sizes: boxes in each group, which follow one another.
        iou_threshold: a box goes when it overlaps a better one of its group by more.
    """
    keep = torch.zeros_like(scores, dtype=torch.bool)
    if boxes.device.type == "cpu":
        groups = zip(keep.split(sizes), boxes.split(sizes), scores.split(sizes), strict=True)
        for kept, group, own_scores in groups:
            kept[nms(group, own_scores, iou_threshold, 0)] = True
        return keep
    begin, end, part = 0, 0, []
    for size in [*sizes, None]:
        if part and (size is None or end - begin + size > _BOXES_AT_ONCE):
            here = slice(begin, end)
            kept = nms(apart(boxes[here], part), scores[here], iou_threshold, 0)
            keep[here].index_fill_(0, kept, True)
            begin, part = end, []
        if size is not None:
            part.append(size)
            end += size
    return keep


@nms_of_groups.register_fake
def _(boxes: Tensor, scores: Tensor, sizes: list[int], iou_threshold: float) -> Tensor:
    return torch.empty_like(scores, dtype=torch.bool)


def apart(boxes: Tensor, sizes: list[int]) -> Tensor:
    """The boxes (N, 4), each group moved into a cell of its own.

    The cells form a square: a coordinate that is large loses digits.
    """
    columns = math.ceil(math.sqrt(len(sizes)))
    cells = torch.tensor([(group % columns, group // columns) for group in range(len(sizes))])
    cells = cells.repeat_interleave(torch.tensor(sizes), dim=0, output_size=sum(sizes))
    cells = to_device(cells.to(torch.int16), boxes.device)
    return boxes + (cells * (boxes.max() + 1)).repeat(1, 2)
