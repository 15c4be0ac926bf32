"""What a mask head is to predict: the object's mask in the region (arXiv:1703.06870, 3.1)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmcv.ops import roi_align
from mmdet.structures.mask import BitmapMasks
from torch import Tensor

from vitdet.device import to_device


def are_known(masks: Sequence[Any]) -> bool:
    """Whether `mask_targets` can crop these: bitmaps, of one size in all images."""
    are_bitmaps = all(isinstance(each, BitmapMasks) for each in masks)
    return are_bitmaps and len({(each.height, each.width) for each in masks}) == 1


@torch.no_grad()
def mask_targets(
    masks: Sequence[BitmapMasks], objects: Tensor, boxes: Tensor, size: int | tuple[int, int]
) -> Tensor:
    """The masks inside of boxes, (P, size, size), 0 or 1, as mmdet's `mask_target` has them.

    That copies the whole mask for each box first, here RoIAlign reads all from the same few.

    Args:
        masks: of all objects of each image.
        objects: (P,) place of the box's object among those of all images.
        boxes: (P, 4) xyxy.
        size: pixels of a side, or of both.
    """
    size = (size, size) if isinstance(size, int) else tuple(size)
    if len(boxes) == 0:
        return boxes.new_zeros(0, *size)
    height, width = masks[0].height, masks[0].width
    bitmaps = torch.from_numpy(np.concatenate([each.masks for each in masks]))
    bitmaps = to_device(bitmaps, boxes.device).to(boxes.dtype)[:, None]
    x1, y1, x2, y2 = boxes.unbind(dim=1)
    x1, x2 = (x.clamp(0, width) for x in (x1, x2))
    y1, y2 = (y.clamp(0, height) for y in (y1, y2))
    rois = torch.stack([objects.to(boxes.dtype), x1, y1, x2, y2], dim=1)
    shares = roi_align(bitmaps, rois, size, 1.0, 0, "avg", True)[:, 0]
    return (shares >= 0.5).to(boxes.dtype)
