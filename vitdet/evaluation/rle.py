"""Masks as COCO's run-length code: the form in which they are kept, gathered and compared."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools import mask as coco_mask

if TYPE_CHECKING:
    import torch

RLE = dict[str, Any]
"""`{"size": [H, W], "counts": ...}` with counts as ASCII text, ready for json."""


def encode_masks(masks: "torch.Tensor | np.ndarray") -> list[RLE]:
    """Encode masks: (N, H, W), zero or False is background.

    Only the rectangle around each mask is copied from a GPU and walked through; its runs are then
    counted as they lie in the image.
    """
    height, width = masks.shape[1:]
    codes = [
        {"size": [height, width], "counts": _run_lengths(crop, y, x, (height, width))}
        for crop, y, x in _crops(masks)
    ]
    codes = coco_mask.frPyObjects(codes, height, width) if codes else []
    return [{"size": code["size"], "counts": code["counts"].decode("ascii")} for code in codes]


def _crops(masks: "torch.Tensor | np.ndarray") -> Iterator[tuple[np.ndarray, int, int]]:
    """(h, w) of each mask, all that is not background, with its first row and column."""
    if not isinstance(masks, np.ndarray) and masks.device.type == "cpu":
        masks = masks.numpy()
    if isinstance(masks, np.ndarray):  # the data check does without torch
        for mask, rows in zip(masks, masks.any(axis=2), strict=True):
            y, y_end = _extent(rows)
            x, x_end = _extent(mask[y:y_end].any(axis=0))
            yield mask[y:y_end, x:x_end] != 0, y, x
    else:
        yield from crops_on_device(masks)


def crops_on_device(masks: "torch.Tensor") -> Iterator[tuple[np.ndarray, int, int]]:
    """What `_crops` gives, found on the device of masks: (N, H, W) and copied from it at once."""
    import torch

    rows, columns = masks.any(2).cpu().numpy(), masks.any(1).cpu().numpy()
    places = [(*_extent(row), *_extent(column)) for row, column in zip(rows, columns, strict=True)]
    crops = [mask[y:b, x:r].ne(0) for mask, (y, b, x, r) in zip(masks, places, strict=True)]
    pixels = torch.cat([crop.flatten() for crop in crops]).cpu().numpy() if crops else None
    start = 0
    for y, y_end, x, x_end in places:
        end = start + (y_end - y) * (x_end - x)
        yield pixels[start:end].reshape(y_end - y, x_end - x), y, x
        start = end


def _extent(occupied: np.ndarray) -> tuple[int, int]:
    """First place of (N,) bool that is True and the one after the last; (0, 0) if none is."""
    if not occupied.any():
        return 0, 0
    return int(occupied.argmax()), len(occupied) - int(occupied[::-1].argmax())


def _run_lengths(crop: np.ndarray, y: int, x: int, image_size: tuple[int, int]) -> np.ndarray:
    """Lengths of the runs of background and mask, in turns, down the columns of the image.

    Args:
        crop: (h, w) bool, with its first pixel in row `y` and column `x`.
        image_size: (H, W).
    """
    height, width = image_size
    rows, columns = crop.shape
    # A background pixel before each column and at the end: where pixels change, a run begins.
    pixels = np.zeros(columns * (rows + 1) + 1, dtype=bool)
    pixels[:-1].reshape(columns, rows + 1)[:, 1:] = crop.T
    column, row = np.divmod(np.flatnonzero(pixels[1:] != pixels[:-1]), rows + 1)
    begins = (x + column) * height + y + row
    if rows == height:  # a run goes on from the foot of a column to the head of the next
        joints = np.flatnonzero(begins[1:] == begins[:-1])
        begins = np.delete(begins, [joints, joints + 1])
    lengths = np.diff(begins, prepend=0, append=height * width)
    return lengths if lengths[-1] else lengths[:-1]


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
