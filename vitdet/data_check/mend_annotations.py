"""Mends of boxes, areas and masks."""

from collections.abc import Callable

import numpy as np

from vitdet.data_check.mended_split import MendedSplit
from vitdet.data_check.polygons import clip_polygon, is_sound, polygons_of

Mend = Callable[[MendedSplit, np.ndarray], None]


def _write_box(split: MendedSplit, row: int, box: np.ndarray) -> None:
    split.change("annotations", row, bbox=[round(value, 3) for value in box.tolist()])


def _drop(split: MendedSplit, rows: np.ndarray) -> None:
    split.leave_out("annotations", rows)


def _box_from_mask(split: MendedSplit, rows: np.ndarray) -> None:
    """The box of the mask within the image; where that is none, the annotation is left out."""
    for row in rows.tolist():
        box = _clipped(split.columns.mask_box[row], split.columns.ann_size[row])
        if np.isfinite(box).all() and (box[2:] >= 1).all():
            _write_box(split, row, box)
        else:
            split.leave_out("annotations", [row])


def _box_as_read(split: MendedSplit, rows: np.ndarray) -> None:
    for row in rows.tolist():
        if np.isfinite(split.columns.boxes[row]).all():
            _write_box(split, row, split.columns.boxes[row])
        elif split.columns.annotations[row].get("bbox") is not None:
            split.change("annotations", row, bbox=split.columns.raw_boxes[row].tolist())


def _clip_box(split: MendedSplit, rows: np.ndarray) -> None:
    for row in rows.tolist():
        _write_box(split, row, _clipped(split.columns.boxes[row], split.columns.ann_size[row]))


def _clipped(box: np.ndarray, size: np.ndarray) -> np.ndarray:
    low = np.clip(box[:2], 0, size)
    return np.concatenate([low, np.clip(box[:2] + box[2:], 0, size) - low])


def _compute_area(split: MendedSplit, rows: np.ndarray) -> None:
    mask_area, boxes = split.columns.mask_area, split.columns.boxes
    for row in rows.tolist():
        area = mask_area[row] if mask_area[row] > 0 else boxes[row, 2:].prod()
        if np.isfinite(area) and area > 0:
            split.change("annotations", row, area=round(float(area), 2))


def _write_flag(split: MendedSplit, rows: np.ndarray) -> None:
    for row in rows.tolist():
        flag = split.annotations[row].get("iscrowd")
        is_false = isinstance(flag, str) and flag.strip().lower() in ("", "0", "false", "no")
        split.change("annotations", row, iscrowd=int(bool(flag) and not is_false))


def _drop_mask(split: MendedSplit, rows: np.ndarray) -> None:
    for row in rows.tolist():
        split.change("annotations", row, segmentation=None)


def _mend_polygons(
    split: MendedSplit, rows: np.ndarray, change: Callable[[int, list[float]], list[float]]
) -> None:
    """Put `change(row, polygon)` for each sound polygon of each row, where it is sound still."""
    for row in rows.tolist():
        segmentation = split.annotations[row].get("segmentation")
        parts = polygons_of(segmentation)[0] if isinstance(segmentation, list) else []
        changed = [change(row, part) for part in parts if is_sound(part)]
        sound = [part for part in changed if is_sound(part)]
        split.change("annotations", row, segmentation=sound or None)


def _keep_sound_polygons(split: MendedSplit, rows: np.ndarray) -> None:
    _mend_polygons(split, rows, lambda _, part: part)


def _scale_polygons(split: MendedSplit, rows: np.ndarray) -> None:
    def to_pixels(row: int, polygon: list[float]) -> list[float]:
        scale = np.resize(split.columns.ann_size[row], len(polygon))
        return np.round(scale * polygon, 2).tolist()

    _mend_polygons(split, rows, to_pixels)


def _clip_polygons(split: MendedSplit, rows: np.ndarray) -> None:
    _mend_polygons(
        split, rows, lambda row, polygon: clip_polygon(polygon, *split.columns.ann_size[row])
    )


def _mask_from_box(split: MendedSplit, rows: np.ndarray) -> None:
    for row in rows.tolist():
        x, y, width, height = split.columns.boxes[row].round(2).tolist()
        polygon = [x, y, x + width, y, x + width, y + height, x, y + height]
        if is_sound(polygon):
            split.change("annotations", row, segmentation=[polygon])


MENDS: dict[str, Mend] = {
    "crowd flag other than 0 and 1": _write_flag,
    "box written as text": _box_as_read,
    "normalised box": _box_as_read,
    "box of two corners": _box_as_read,
    "box of centre and size": _box_as_read,
    "inverted box": _box_as_read,
    "box partly outside the image": _clip_box,
    "box a little outside the image": _clip_box,
    "area missing": _compute_area,
    "area not positive": _compute_area,
    "area disagrees with the mask": _compute_area,
    "area larger than the box": _compute_area,
    "mask in no known form": _drop_mask,
    "polygon in another layout": _keep_sound_polygons,
    "polygon of no numbers": _keep_sound_polygons,
    "polygon of an odd number of coordinates": _keep_sound_polygons,
    "polygon of fewer than three points": _keep_sound_polygons,
    "polygon with NaN or infinity": _keep_sound_polygons,
    "polygon without area": _keep_sound_polygons,
    "normalised polygon": _scale_polygons,
    "polygon partly outside the image": _clip_polygons,
    "polygon outside the image": _drop_mask,
    "run lengths that cannot be read": _drop_mask,
    "negative run length": _drop_mask,
    "run lengths of another image size": _drop_mask,
    "run lengths that do not fill the image": _drop_mask,
    "run lengths without a pixel": _drop_mask,
    "mask and box apart": _box_from_mask,
    "mask and box differ": _box_from_mask,
    "mask missing where others have one": _mask_from_box,
    "box missing": _box_from_mask,
    "box that is not four numbers": _box_from_mask,
    "box with NaN or infinity": _box_from_mask,
    "empty box": _box_from_mask,
    "box smaller than a pixel": _box_from_mask,
    "box outside the image": _box_from_mask,
    "same box twice": _drop,
}
