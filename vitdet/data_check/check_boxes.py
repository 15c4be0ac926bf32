"""Faults of boxes and areas."""

from collections.abc import Callable, Iterator

import numpy as np

from vitdet.data_check.box_layout import BoxLayout
from vitdet.data_check.columns import BoxState, Columns
from vitdet.data_check.finding import Finding

_A_LITTLE = 2.0  # pixels outside of the image: rounding, or a careless hand
_TINY = 8.0  # pixels: smaller in both directions, few detectors find an object
_LONG = 50.0  # times as long as wide


def check_boxes(columns: Columns) -> Iterator[Finding]:
    """Look at the form of all boxes, then at their place in the image, read as they were meant."""

    def as_written(row: int) -> str:
        box = columns.annotations[row].get("bbox")
        return f"box {str(box)[:80]} of {columns.image_of(row)}"

    yield from _check_form(columns, as_written)
    yield from _check_place(columns, as_written)
    yield from _check_repeats(columns, as_written)
    yield from _check_shape(columns, as_written)
    yield from _check_area(columns)


def _check_form(columns: Columns, what: Callable[[int], str]) -> Iterator[Finding]:
    state, raw = columns.box_state, columns.raw_boxes
    is_read = (state == BoxState.FINE) | (state == BoxState.TEXT)
    is_finite = np.isfinite(raw).all(axis=1)
    yield from columns.found("box missing", state == BoxState.MISSING, what)
    yield from columns.found("box that is not four numbers", state == BoxState.MALFORMED, what)
    yield from columns.found("box written as text", state == BoxState.TEXT, what)
    yield from columns.found("box with NaN or infinity", is_read & ~is_finite, what)
    yield from columns.found("inverted box", is_finite & (raw[:, 2:] < 0).any(axis=1), what)
    layout = columns.layout
    for kind, found in (
        ("normalised box", [one for one in BoxLayout if one.is_normalised]),
        ("box of two corners", [BoxLayout.CORNERS]),
        ("box of centre and size", [BoxLayout.CENTRE]),
    ):
        yield from columns.found(kind, np.isin(layout, found), what)


def _check_place(columns: Columns, what: Callable[[int], str]) -> Iterator[Finding]:
    boxes, size = columns.boxes, columns.ann_size
    with np.errstate(invalid="ignore"):
        is_flat = (boxes[:, 2:] == 0).any(axis=1) & np.isfinite(boxes).all(axis=1)
        is_small = (boxes[:, 2:] < 1).any(axis=1) & np.isfinite(boxes).all(axis=1) & ~is_flat
        low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
        reach = np.maximum(-low, high - size).max(axis=1)
        is_outside = ((high <= 0) | (low >= size)).any(axis=1) & ~is_flat & ~is_small
    yield from columns.found("empty box", is_flat, what)
    yield from columns.found("box smaller than a pixel", is_small, what)
    yield from columns.found("box outside the image", is_outside, what)
    rest = ~is_outside & ~is_flat & ~is_small
    with np.errstate(invalid="ignore"):
        yield from columns.found("box partly outside the image", rest & (reach > _A_LITTLE), what)
        little = rest & (reach > 1e-2) & (reach <= _A_LITTLE)
    yield from columns.found("box a little outside the image", little, what)


def _check_repeats(columns: Columns, what: Callable[[int], str]) -> Iterator[Finding]:
    """Boxes equal to a hundredth of a pixel; crowds left out. The first of equal ones is fine."""
    rows = np.flatnonzero(
        np.isfinite(columns.boxes).all(axis=1) & (columns.ann_image >= 0) & ~columns.is_crowd
    )
    if not len(rows):
        return
    values = np.round(100 * columns.boxes[rows]).clip(-(2**60), 2**60).astype(np.int64)
    keys = [*values.T, columns.ann_image[rows]]
    order = np.lexsort(keys)  # stable: of equal boxes the first row comes first
    equal = np.all([key[order][1:] == key[order][:-1] for key in keys], axis=0)
    group = np.concatenate([[0], np.cumsum(~equal)])
    category = columns.ann_category[rows][order]
    # Of a group's boxes, which repeat a class that the group had before?
    by_class = np.lexsort([np.arange(len(order)), category, group])
    same = (np.diff(group[by_class]) == 0) & (np.diff(category[by_class]) == 0)
    repeated = np.zeros(len(order), dtype=bool)
    repeated[by_class[1:][same]] = True
    is_later = np.concatenate([[False], equal])
    yield from columns.found("same box twice", rows[order[repeated]], what)
    yield from columns.found("same box in two classes", rows[order[is_later & ~repeated]], what)


def _check_shape(columns: Columns, what: Callable[[int], str]) -> Iterator[Finding]:
    sides = columns.boxes[:, 2:]
    with np.errstate(invalid="ignore", divide="ignore"):
        is_usable = (sides >= 1).all(axis=1) & ~columns.is_crowd
        yield from columns.found("tiny object", is_usable & (sides < _TINY).all(axis=1), what)
        is_whole = (sides >= columns.ann_size - 1).all(axis=1)
        yield from columns.found("box of the whole image", is_usable & is_whole, what)
        is_long = sides.max(axis=1) > _LONG * sides.min(axis=1)
    yield from columns.found("very long box", is_usable & is_long, what)


def _check_area(columns: Columns) -> Iterator[Finding]:
    area, mask_area = columns.area, columns.mask_area
    box_area = columns.boxes[:, 2:].prod(axis=1)

    def what(row: int) -> str:
        truth = f"mask {mask_area[row]:.0f}" if mask_area[row] > 0 else f"box {box_area[row]:.0f}"
        written = columns.annotations[row].get("area")
        return f"area {written!r}, {truth}, in {columns.image_of(row)}"

    is_there = np.isfinite(area)
    for row in np.flatnonzero(~is_there).tolist():
        is_there[row] = columns.annotations[row].get("area") is not None
    is_bad = is_there & ~(np.isfinite(area) & (area > 0))
    with np.errstate(invalid="ignore"):
        is_off = np.abs(area - mask_area) > np.maximum(0.1 * mask_area, 20)
        # Without a mask the area may be that of one which was taken away, so smaller than the box.
        is_large = np.isnan(mask_area) & (area > np.maximum(1.05 * box_area, box_area + 20))
    yield from columns.found("area missing", ~is_there, what)
    yield from columns.found("area not positive", is_bad, what)
    yield from columns.found("area disagrees with the mask", is_off & ~is_bad, what)
    yield from columns.found("area larger than the box", is_large & ~is_bad, what)
