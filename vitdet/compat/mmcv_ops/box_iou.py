"""Overlap of boxes, as the suppressions and `mmcv.ops.bbox_overlaps` count it."""

import numpy as np
import torch
from torch import Tensor

from vitdet.compat.mmcv_ops.precision import kernel_dtype


def bbox_overlaps(
    bboxes1: Tensor, bboxes2: Tensor, ious: Tensor, mode: int, aligned: bool, offset: int
) -> None:
    """Fill `ious` with intersection over union, or over the area of `bboxes1` if `mode` is 1.

    bboxes1: (N, 4), bboxes2: (M, 4) x1, y1, x2, y2; not clamped, so two empty boxes give NaN
    ious: (N, M), or (N,) for the pairs in order if `aligned`
    offset: 1 if x2 and y2 name the last pixel inside the box, 0 if the first one outside
    """
    dtype = kernel_dtype(bboxes1.dtype)
    bboxes1, bboxes2 = bboxes1.to(dtype), bboxes2.to(dtype)
    if not aligned:
        bboxes1 = bboxes1[:, None]
    corner1, corner2 = bboxes1[..., :2], bboxes1[..., 2:]
    sides = torch.minimum(corner2, bboxes2[..., 2:]) - torch.maximum(corner1, bboxes2[..., :2])
    intersection = (sides + offset).clamp(min=0).prod(dim=-1)
    area1 = (corner2 - corner1 + offset).prod(dim=-1)
    area2 = (bboxes2[..., 2:] - bboxes2[..., :2] + offset).prod(dim=-1)
    ious.copy_(intersection / (area1 if mode == 1 else area1 + area2 - intersection))


def iou_of_one(box: np.ndarray, boxes: np.ndarray, offset: int = 0) -> np.ndarray:
    """IoU (N,) of `box` (4,) with `boxes` (N, 4), for the loops that run on the host."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    intersection = np.maximum(sides + offset, 0).prod(axis=1)
    area = (box[2:] - box[:2] + offset).prod()
    areas = (boxes[:, 2:] - boxes[:, :2] + offset).prod(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # empty boxes have no IoU: NaN
        return intersection / (area + areas - intersection)
