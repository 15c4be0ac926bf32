"""The entries of a split as numpy columns, so that a million annotations are judged in seconds."""

from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from vitdet.data_check.box_layout import MIN_SIDE, BoxLayout, recognise_layouts, to_xywh
from vitdet.data_check.faults import FAULTS
from vitdet.data_check.finding import MAX_EXAMPLES, Example, Finding, Level
from vitdet.data_check.mask_columns import MaskColumns, MaskForm
from vitdet.datasets.formats.data_folder import CocoSplit


class BoxState(IntEnum):
    """What stands under `bbox`."""

    FINE = 0
    MISSING = 1
    MALFORMED = 2
    TEXT = 3  # four numbers, but written as text


class Columns:
    """One split. A row is a place in the list `images`, `annotations` or `categories`.

    A is the number of annotations, I of images.

    Attributes:
        image_size: (I, 2) width and height, NaN where there is no such positive number.
        ann_image, ann_category: (A,) row of what the annotation's ids point to, -1 if to nothing.
        retyped: (A,) bool, whether one of the two ids fits in another type only ("7" for 7).
        raw_boxes: (A, 4) as written, NaN where there are no four numbers.
        box_state: (A,) `BoxState`.
        area: (A,) NaN where there is no number.
    """

    def __init__(self, split: CocoSplit, root: Path) -> None:
        self.split, self.root = split, root
        self.images = split.coco["images"]
        self.annotations = split.coco["annotations"]
        self.categories = split.coco["categories"]
        sides = [numbers(self.values("images", key)) for key in ("width", "height")]
        size = np.stack(sides, axis=1)
        self.image_size = np.where(np.isfinite(size) & (size >= 1), size, np.nan)
        self.ann_image, retyped_image = _pointers(
            self.values("annotations", "image_id"), self.values("images", "id")
        )
        self.ann_category, retyped = _pointers(
            self.values("annotations", "category_id"), self.values("categories", "id")
        )
        self.retyped = retyped | retyped_image
        self.raw_boxes, self.box_state = _boxes(self.values("annotations", "bbox"))
        self.area = numbers(self.values("annotations", "area"))

    @cached_property
    def ann_size(self) -> np.ndarray:
        """(A, 2) width and height of each annotation's image; NaN where it is not known."""
        size = np.concatenate([self.image_size, np.full((1, 2), np.nan)])  # row -1: no image
        return size[self.ann_image]

    @cached_property
    def masks(self) -> MaskColumns:
        return MaskColumns(self.values("annotations", "segmentation"))

    @cached_property
    def layout(self) -> np.ndarray:
        """(A,) `BoxLayout` that each box is written in."""
        return recognise_layouts(self.raw_boxes, self.ann_size, self.mask_box, self.area)

    @cached_property
    def has_normalised_mask(self) -> np.ndarray:
        """(A,) bool: polygons within [0, 1] of both sides, in images of more pixels."""
        box = self.masks.box
        with np.errstate(invalid="ignore"):
            within = (box >= -0.01).all(axis=1) & (box[:, :2] + box[:, 2:] <= 1.01).all(axis=1)
            within &= (self.ann_size >= MIN_SIDE).all(axis=1)
        return within & (self.masks.form == MaskForm.POLYGONS)

    @cached_property
    def mask_box(self) -> np.ndarray:
        """(A, 4) x, y, width, height of the masks in pixels, normalised or not; NaN without one."""
        scale = np.where(self.has_normalised_mask[:, None], np.tile(self.ann_size, 2), 1)
        return self.masks.box * scale

    @cached_property
    def mask_area(self) -> np.ndarray:
        """(A,) pixels of the masks, normalised or not; NaN without one."""
        scale = np.where(self.has_normalised_mask, self.ann_size.prod(axis=1), 1)
        return self.masks.area * scale

    @cached_property
    def boxes(self) -> np.ndarray:
        """(A, 4) x, y, width, height in pixels, whatever the layout; inverted ones turned round."""
        boxes = self.raw_boxes.copy()
        for layout in BoxLayout:
            rows = self.layout == layout
            boxes[rows] = to_xywh(boxes[rows], layout, self.ann_size[rows])
        with np.errstate(invalid="ignore"):
            boxes[:, :2] += np.minimum(boxes[:, 2:], 0)
        boxes[:, 2:] = np.abs(boxes[:, 2:])
        return boxes

    @cached_property
    def is_crowd(self) -> np.ndarray:
        """(A,) bool: regions, not objects."""
        flags = self.values("annotations", "iscrowd", 0)
        return np.fromiter(map(bool, flags), dtype=bool, count=len(flags))

    def values(self, level: Level, key: str, default: Any = None) -> list[Any]:
        """What stands under `key` of each entry."""
        return [entry.get(key, default) for entry in getattr(self, level)]

    def instances(self) -> np.ndarray:
        """(number of categories,) annotations of each that are no crowds."""
        rows = self.ann_category[(self.ann_category >= 0) & ~self.is_crowd]
        return np.bincount(rows, minlength=len(self.categories))

    def image_name(self, row: int) -> str:
        """File name of an image as messages give it."""
        name = self.images[row].get("file_name")
        return name if isinstance(name, str) else f"image {self.images[row].get('id')!r}"

    def image_of(self, row: int) -> str:
        """Image of an annotation, with its size, as messages give it."""
        image = int(self.ann_image[row])
        if image < 0:
            return f"image {self.annotations[row].get('image_id')!r}"
        width, height = self.ann_size[row]
        name = self.image_name(image)
        return name if np.isnan(width + height) else f"{name} ({width:.0f}x{height:.0f})"

    def found(
        self, kind: str, places: np.ndarray | Sequence[int], what: Callable[[int], str]
    ) -> Iterator[Finding]:
        """The finding of a fault at `places`, a bool for each row or rows; none if there are none.

        `what` tells of a row what is wrong there.
        """
        places = np.asarray(places)
        rows = np.flatnonzero(places) if places.dtype == bool else np.unique(places.astype(int))
        if len(rows) == 0:
            return
        fault = FAULTS[kind]
        examples = [
            Example(self._file(kind, row), self._id(fault.level, row), what(row))
            for row in rows[:MAX_EXAMPLES].tolist()
        ]
        yield Finding(
            kind,
            fault.severity,
            self.split.name,
            len(rows),
            examples,
            fault.action,
            fault.level,
            rows,
        )

    def elsewhere(self, kind: str, files: Sequence[str], what: str) -> Finding:
        """The finding of a fault in no row: of the split as a whole, or of other files."""
        fault = FAULTS[kind]
        examples = [Example(file, "", what) for file in files[:MAX_EXAMPLES]]
        return Finding(
            kind,
            fault.severity,
            self.split.name,
            len(files),
            examples,
            fault.action,
            fault.level,
            np.array([], dtype=int),
        )

    @property
    def source_name(self) -> str:
        source = self.split.source
        return str(source.relative_to(self.root) if source.is_relative_to(self.root) else source)

    def _id(self, level: Level, row: int) -> Any:
        return getattr(self, level)[row].get("id")

    def _file(self, kind: str, row: int) -> str:
        """The file in which the fault is: image, label file or annotation file."""
        level = FAULTS[kind].level
        if level == "categories":
            return self.source_name
        image_row = row if level == "images" else int(self.ann_image[row])
        image = self.images[image_row] if image_row >= 0 else {}
        is_of_image = level == "images" and not kind.startswith("label file")
        if is_of_image and isinstance(image.get("file_name"), str):
            return image["file_name"]
        return str(image.get("label_file") or self.source_name)


def numbers(values: Sequence[Any]) -> np.ndarray:
    """values as (N,) float64, NaN for whatever is no number."""
    try:
        array = np.array(values)
        if array.ndim == 1 and array.dtype.kind in "iuf":
            return array.astype(float)
    except (ValueError, OverflowError):
        pass  # ragged: entries that are lists
    return np.array([_number(value) for value in values], dtype=float)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return np.nan
    try:
        return float(value)
    except OverflowError:
        return np.inf


def integers(values: Sequence[Any]) -> np.ndarray | None:
    """values as (N,) int64 if all are whole numbers, else None."""
    try:
        array = np.array(values)
    except ValueError:  # ragged: entries that are lists
        return None
    return array if array.ndim == 1 and array.dtype == np.int64 else None


def is_id(value: Any) -> bool:
    return isinstance(value, (int, str, float))


def repeated(values: Sequence[Any]) -> list[int]:
    """Rows of values that came before, of those that are ids or names."""
    array = integers(values)
    if array is not None:
        order = np.argsort(array, kind="stable")
        is_again = array[order[1:]] == array[order[:-1]]
        return sorted(order[1:][is_again].tolist())
    seen: set[Any] = set()
    rows = []
    for row, value in enumerate(values):
        if is_id(value):
            if value in seen:
                rows.append(row)
            seen.add(value)
    return rows


def _pointers(values: Sequence[Any], targets: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """(N,) row of the first target that each value is the id of, and whether only its text fits."""
    retyped = np.zeros(len(values), dtype=bool)
    array, target_array = integers(values), integers(targets)
    if array is not None and target_array is not None and len(targets):
        order = np.argsort(target_array, kind="stable")
        place = np.searchsorted(target_array[order], array).clip(max=len(order) - 1)
        rows = order[place]
        return np.where(target_array[rows] == array, rows, -1), retyped
    by_id: dict[Any, int] = {}
    for row, target in enumerate(targets):
        if is_id(target):
            by_id.setdefault(target, row)
    by_text = {str(target): row for target, row in reversed(by_id.items())}
    found = np.full(len(values), -1)
    for i, value in enumerate(values):
        if not is_id(value):
            continue
        row = by_id.get(value)
        if row is None:
            row = by_text.get(str(value).strip())
            retyped[i] = row is not None
        if row is not None:
            found[i] = row
    return found, retyped


def _boxes(values: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """(A, 4) boxes and (A,) `BoxState`."""
    state = np.full(len(values), BoxState.FINE, dtype=np.int8)
    try:
        array = np.array(values)
        if array.dtype.kind in "iuf" and array.shape == (len(values), 4):
            return array.astype(float), state
    except (ValueError, OverflowError):
        pass
    boxes = np.full((len(values), 4), np.nan)
    for i, value in enumerate(values):
        boxes[i], state[i] = _box(value)
    return boxes, state


def _box(value: Any) -> tuple[list[float], BoxState]:
    nothing = [np.nan] * 4
    if value is None or value == [] or value == "":
        return nothing, BoxState.MISSING
    if not isinstance(value, list | tuple) or len(value) != 4:
        return nothing, BoxState.MALFORMED
    if any(isinstance(v, bool) or not isinstance(v, int | float | str) for v in value):
        return nothing, BoxState.MALFORMED
    if not any(isinstance(v, str) for v in value):
        return [_number(v) for v in value], BoxState.FINE
    try:
        return [float(v) for v in value], BoxState.TEXT
    except ValueError:
        return nothing, BoxState.MALFORMED
