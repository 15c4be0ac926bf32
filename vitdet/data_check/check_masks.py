"""Faults of polygons and run-length codes, and of masks beside their boxes."""

from collections.abc import Iterator

import numpy as np

from vitdet.data_check.box_layout import box_iou
from vitdet.data_check.columns import Columns
from vitdet.data_check.finding import Finding
from vitdet.data_check.mask_columns import MaskForm

_A_LITTLE = 2.0  # pixels
_APART = 0.1  # IoU of a mask's box with the box below which one of them is of something else
_DIFFERENT = 0.7


def check_masks(columns: Columns) -> Iterator[Finding]:
    """Look at each mask, then at its place in the image and at its box."""
    masks, box, size = columns.masks, columns.mask_box, columns.ann_size
    is_polygon = masks.form == MaskForm.POLYGONS

    def what(row: int) -> str:
        return (
            f"{_excerpt(columns.annotations[row].get('segmentation'))} in {columns.image_of(row)}"
        )

    def beside_box(row: int) -> str:
        mask_box, written = box[row].round(1).tolist(), columns.annotations[row].get("bbox")
        return f"box {written}, mask {mask_box} in {columns.image_of(row)}"

    for kind, rows in masks.faults.items():
        yield from columns.found(kind, rows, what)
    yield from columns.found("polygon in another layout", masks.is_other_layout, what)
    with np.errstate(invalid="ignore"):
        is_other_size = np.isfinite(box).all(axis=1) & (masks.size != size).any(axis=1)
        is_other_size &= (masks.form == MaskForm.RUNS) & np.isfinite(size).all(axis=1)
        low, high = box[:, :2], box[:, :2] + box[:, 2:]
        is_outside = is_polygon & ((high <= 0) | (low >= size)).any(axis=1)
        reach = np.maximum(-low, high - size).max(axis=1)
    yield from columns.found("run lengths of another image size", is_other_size, what)
    yield from columns.found("normalised polygon", columns.has_normalised_mask, what)
    yield from columns.found("polygon outside the image", is_outside, what)
    is_partly = is_polygon & ~is_outside & (reach > _A_LITTLE)
    yield from columns.found("polygon partly outside the image", is_partly, what)

    iou = box_iou(columns.boxes, box)
    # A pixel or two of a small object are no difference.
    gap = np.abs(columns.boxes - box)
    gap[:, 2:] = np.abs(columns.boxes[:, :2] + columns.boxes[:, 2:] - high)
    is_near = (gap <= _A_LITTLE).all(axis=1)
    is_usable = (columns.boxes[:, 2:] >= 1).all(axis=1) & ~is_outside & ~is_other_size
    is_usable &= ~is_near & ~columns.is_crowd
    yield from columns.found("mask and box apart", is_usable & (iou < _APART), beside_box)
    is_different = is_usable & (iou >= _APART) & (iou < _DIFFERENT)
    yield from columns.found("mask and box differ", is_different, beside_box)

    has_mask = masks.form != MaskForm.NONE
    if has_mask.any():
        yield from columns.found(
            "mask missing where others have one",
            ~has_mask,
            lambda row: f"no segmentation, in {columns.image_of(row)}",
        )


def _excerpt(segmentation: object) -> str:
    if isinstance(segmentation, dict):
        size = segmentation.get("size")
        return f"run lengths of size {size} ({str(segmentation.get('counts'))[:30]}...)"
    text = str(segmentation)
    return text if len(text) <= 60 else f"{text[:57]}..."
