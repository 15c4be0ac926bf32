"""In which layout is a box written? COCO has corner, width and height in pixels; people do not."""

from enum import IntEnum

import numpy as np

_SLACK = 1.01  # of a side: what rounding may add
_REACH = 1.05  # of a side: beyond it a box is taken to reach out of its image
_MIN_REACHING = 0.1  # share of boxes reaching out above which another layout is looked for
_MIN_REACHING_BOXES = 3  # fewer may be slips of a hand
_FITTING = 0.97  # share of boxes that has to fit the other layout
MIN_SIDE = 16  # of an image: in smaller ones a box of one pixel is a real one


class BoxLayout(IntEnum):
    """How four numbers describe a box."""

    XYWH = 0
    NORMALISED_XYWH = 1
    NORMALISED_CORNERS = 2
    NORMALISED_CENTRE = 3
    CORNERS = 4
    CENTRE = 5

    @property
    def is_normalised(self) -> bool:
        return BoxLayout.NORMALISED_XYWH <= self <= BoxLayout.NORMALISED_CENTRE

    @property
    def has_corners(self) -> bool:
        return self in (BoxLayout.CORNERS, BoxLayout.NORMALISED_CORNERS)

    @property
    def has_centre(self) -> bool:
        return self in (BoxLayout.CENTRE, BoxLayout.NORMALISED_CENTRE)


def to_xywh(boxes: np.ndarray, layout: BoxLayout, sizes: np.ndarray) -> np.ndarray:
    """COCO's form of boxes: (N, 4) in `layout`, sizes: (N, 2) width and height of their images."""
    boxes = boxes * np.tile(sizes, 2) if layout.is_normalised else boxes.copy()
    if layout.has_corners:
        boxes[:, 2:] -= boxes[:, :2]
    elif layout.has_centre:
        boxes[:, :2] -= boxes[:, 2:] / 2
    return boxes


def recognise_layouts(
    boxes: np.ndarray, sizes: np.ndarray, mask_boxes: np.ndarray, areas: np.ndarray
) -> np.ndarray:
    """(N,) layout of each box of a split.

    A box within [0, 1] of both sides is normalised. Of pixels, a mask's box or the `area` tells for
    each annotation; where there is neither, two corners (or a centre) are what all boxes of the
    split fit while many reach out of their images as COCO's layout.

    Args:
        boxes: (N, 4) as written; NaN is left alone.
        sizes: (N, 2) width and height of their images, NaN where unknown.
        mask_boxes: (N, 4) x, y, width, height, NaN where there is no mask.
        areas: (N,) as written.
    """
    layouts = np.full(len(boxes), BoxLayout.XYWH, dtype=np.int8)
    known = np.isfinite(boxes).all(axis=1) & np.isfinite(sizes).all(axis=1)
    normalised = known & _is_normalised(boxes, sizes)
    if normalised.any():
        candidates = [layout for layout in BoxLayout if layout.is_normalised]
        layouts[normalised] = _best_fit(
            boxes[normalised], sizes[normalised], mask_boxes[normalised], candidates
        )
    pixels = known & ~normalised & (boxes[:, 2:] > 0).all(axis=1)
    if pixels.any():
        layouts[pixels] = _pixel_layouts(
            boxes[pixels], sizes[pixels], mask_boxes[pixels], areas[pixels]
        )
    return layouts


def _is_normalised(boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(N,) bool. Whole numbers are no shares, unless other boxes of the split are."""
    within = ((boxes >= -0.01) & (boxes <= _SLACK)).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
    within &= (sizes >= MIN_SIDE).all(axis=1)
    fractions = within & (boxes != np.round(boxes)).any(axis=1)
    return within if fractions.sum() > len(boxes) / 2 else fractions


def _fits(boxes: np.ndarray, layout: BoxLayout, sizes: np.ndarray, reach: float) -> np.ndarray:
    """(N,) bool: as a box of this layout it has a size and lies in its image."""
    xywh = to_xywh(boxes, layout, sizes)
    low, high = xywh[:, :2], xywh[:, :2] + xywh[:, 2:]
    inside = (low >= -(reach - 1) * sizes) & (high <= reach * sizes)
    return (inside & (xywh[:, 2:] > 0)).all(axis=1)


def _best_fit(
    boxes: np.ndarray, sizes: np.ndarray, mask_boxes: np.ndarray, candidates: list[BoxLayout]
) -> BoxLayout:
    """The layout nearest to the masks, else the one that most boxes fit; COCO's in doubt."""
    masked = np.isfinite(mask_boxes).all(axis=1)
    if masked.any():
        scores = [
            box_iou(to_xywh(boxes[masked], layout, sizes[masked]), mask_boxes[masked]).mean()
            for layout in candidates
        ]
    else:
        scores = [_fits(boxes, layout, sizes, _SLACK).mean() for layout in candidates]
    return candidates[int(np.argmax(scores))]


def _pixel_layouts(
    boxes: np.ndarray, sizes: np.ndarray, mask_boxes: np.ndarray, areas: np.ndarray
) -> np.ndarray:
    layouts = np.full(len(boxes), BoxLayout.XYWH, dtype=np.int8)
    told = np.zeros(len(boxes), dtype=bool)
    plain = box_iou(boxes, mask_boxes)
    for layout in (BoxLayout.CORNERS, BoxLayout.CENTRE):
        other = to_xywh(boxes, layout, sizes)
        by_mask = (box_iou(other, mask_boxes) > 0.8) & (plain < 0.5)
        by_area = np.isnan(plain) & _is_near(areas, other) & ~_is_near(areas, boxes)
        by_area &= layout == BoxLayout.CORNERS  # a centre does not change the area
        layouts[by_mask | by_area] = layout
        told |= by_mask | by_area
    open_rows = ~told & np.isnan(plain) & ~_is_near(areas, boxes)
    left, left_sizes = boxes[open_rows], sizes[open_rows]
    if not len(left):
        return layouts
    reaching = (left[:, :2] + left[:, 2:] > _REACH * left_sizes).any(axis=1)
    if reaching.sum() >= _MIN_REACHING_BOXES and reaching.mean() > _MIN_REACHING:
        for layout in (BoxLayout.CORNERS, BoxLayout.CENTRE):
            fitting = _fits(left, layout, left_sizes, _SLACK)
            if fitting.mean() >= _FITTING:
                layouts[np.flatnonzero(open_rows)[fitting]] = layout
                break
    return layouts


def _is_near(areas: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(N,) bool: the written area is width times height of boxes: (N, 4)."""
    with np.errstate(invalid="ignore"):
        return np.abs(areas - boxes[:, 2:].prod(axis=1)) <= 0.01 * np.abs(areas)


def box_iou(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N,) intersection over union of pairs of (N, 4) x, y, width, height; NaN where one is."""
    low = np.maximum(boxes[:, :2], others[:, :2])
    high = np.minimum(boxes[:, :2] + boxes[:, 2:], others[:, :2] + others[:, 2:])
    shared = np.maximum(high - low, 0).prod(axis=1)
    union = boxes[:, 2:].prod(axis=1) + others[:, 2:].prod(axis=1) - shared
    with np.errstate(invalid="ignore", divide="ignore"):
        return shared / union
