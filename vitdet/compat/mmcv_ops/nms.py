"""Greedy non-maximum suppression."""

import numpy as np
from torch import Tensor
from torchvision.ops import nms as torchvision_nms


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Indices (K,) of the boxes kept, best score first; equal scores keep their order.

    A box goes when its IoU with a kept one exceeds `iou_threshold` strictly, both in float32:
    mmcv rounds the threshold, so an IoU of exactly 0.6 survives a threshold of 0.6.

    boxes: (N, 4) x1, y1, x2, y2
    scores: (N,)
    offset: 1 if x2 and y2 name the last pixel inside the box, 0 if the first one outside
    """
    boxes = boxes.float()
    if offset:
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    return torchvision_nms(boxes, scores.float(), float(np.float32(iou_threshold)))
