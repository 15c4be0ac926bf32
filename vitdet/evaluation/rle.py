"""Masks as COCO's run-length code: the form in which they are kept, gathered and compared."""

from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools import mask as coco_mask

if TYPE_CHECKING:
    import torch

RLE = dict[str, Any]
"""`{"size": [H, W], "counts": ...}` with counts as ASCII text, ready for json."""


def encode_masks(masks: "torch.Tensor | np.ndarray") -> list[RLE]:
    """Encode masks: (N, H, W), zero or False is background, in one call for all of them."""
    # The encoder walks down columns.
    if isinstance(masks, np.ndarray):  # the data check does without torch
        columns = np.ascontiguousarray(masks.astype(bool).transpose(0, 2, 1))  # (N, W, H)
    else:  # turned on the masks' own device, they need no copy after
        columns = masks.ne(0).transpose(1, 2).contiguous().cpu().numpy()
    codes = coco_mask.encode(columns.view(np.uint8).transpose(2, 1, 0))
    return [{"size": code["size"], "counts": code["counts"].decode("ascii")} for code in codes]


def segmentation_to_rle(segmentation: list | RLE, height: int, width: int) -> RLE:
    """Encode the `segmentation` of a COCO annotation: polygons, plain or compressed run lengths.

    Raises ValueError where it is none of these.
    """
    if isinstance(segmentation, dict) and isinstance(segmentation.get("counts"), str | bytes):
        code = segmentation
    elif isinstance(segmentation, dict) and "counts" in segmentation:
        code = coco_mask.frPyObjects(segmentation, height, width)
    elif isinstance(segmentation, list) and segmentation:
        code = coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
    else:
        raise ValueError(f"not a COCO segmentation: {segmentation!r}")
    counts = code["counts"]
    return {
        "size": list(code["size"]),
        "counts": counts.decode("ascii") if isinstance(counts, bytes) else counts,
    }


def decode_masks(codes: list[RLE], height: int, width: int) -> np.ndarray:
    """Decode run-length codes of one image to masks: (N, H, W) bool."""
    if not codes:
        return np.zeros((0, height, width), dtype=bool)
    return coco_mask.decode(codes).transpose(2, 0, 1).astype(bool)
