"""Non-maximum suppression that reports who suppressed whom (Cao et al. 2020, PISA)."""

import numpy as np
from torch import Tensor

from vitdet.compat.mmcv_ops.box_iou import iou_of_one


def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """Groups of indices, best score first: a kept box, then those it suppressed.

    A box is suppressed when its IoU reaches the threshold (in `nms` it has to exceed it), both in
    float32. Equal scores keep their order.

    dets: (N, 5) x1, y1, x2, y2, score
    """
    values = dets.detach().cpu().float().numpy()
    remaining = np.argsort(-values[:, 4], kind="stable")
    groups = []
    while len(remaining):
        leader, others = remaining[0], remaining[1:]
        iou = iou_of_one(values[leader, :4], values[others, :4])
        is_suppressed = iou >= np.float32(iou_threshold)
        groups.append([int(leader), *others[is_suppressed].tolist()])
        remaining = others[~is_suppressed]
    return groups
