"""Faults of entries, their ids, and what they point to."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from vitdet.data_check.columns import Columns, integers, is_id, numbers, repeated
from vitdet.data_check.finding import Finding
from vitdet.datasets.formats.file_names import leads_outside

_MANY = 300  # objects in an image that may be right, and more than most detectors return
_MANY_TIMES_MEDIAN = 10
_USUAL_SIDES = (32, 8192)  # pixels


def check_entries(columns: Columns) -> Iterator[Finding]:
    """Look at the entries for images, then at those for annotations."""
    yield from _check_images(columns)
    yield from _check_image_ids(columns)
    yield from _check_annotations(columns)
    yield from _check_amounts(columns)


def _check_images(columns: Columns) -> Iterator[Finding]:
    images = columns.images
    names = [entry.get("file_name") for entry in images]
    is_named = np.array([isinstance(name, str) and bool(name) for name in names], dtype=bool)
    has_id = _are_ids(columns.values("images", "id"))
    leaving = [row for row, name in enumerate(names) if is_named[row] and leads_outside(name)]

    def entry(row: int) -> str:
        return f"entry {str(images[row])[:80]}"

    def problem(row: int) -> str:
        return str(images[row]["problem"])

    def size(row: int) -> str:
        return f"width {images[row].get('width')!r}, height {images[row].get('height')!r}"

    yield from columns.found("image entry without id or file name", ~(is_named & has_id), entry)
    problems = np.array([bool(entry.get("problem")) for entry in images], dtype=bool)
    yield from columns.found("label file that cannot be used", problems, problem)
    yield from columns.found(
        "file name that leaves the folder", leaving, lambda row: f"file name {names[row]!r}"
    )
    unsized = np.isnan(columns.image_size).any(axis=1) & ~problems
    yield from columns.found("image size missing", unsized, size)
    low, high = _USUAL_SIDES
    is_unusual = (columns.image_size < low).any(axis=1) | (columns.image_size > high).any(axis=1)
    yield from columns.found("image of unusual size", is_unusual, size)


def _check_image_ids(columns: Columns) -> Iterator[Finding]:
    ids = [entry.get("id") for entry in columns.images]
    names = [entry.get("file_name") for entry in columns.images]

    def id_and_file(row: int) -> str:
        return f"id {ids[row]!r} of {columns.image_name(row)}"

    yield from columns.found("image id used twice", repeated(ids), id_and_file)
    odd = [row for row in _no_integers(ids) if is_id(ids[row])]
    yield from columns.found("image id that is no integer", odd, id_and_file)
    # One file with one id twice is found as that.
    twice = set(repeated(names)) - set(repeated(ids))
    yield from columns.found("image listed twice", sorted(twice), id_and_file)


def _check_annotations(columns: Columns) -> Iterator[Finding]:
    ids = columns.values("annotations", "id")
    images = columns.values("annotations", "image_id")
    categories = columns.values("annotations", "category_id")
    flags = columns.values("annotations", "iscrowd", 0)

    def entry(row: int) -> str:
        return f"entry {str(columns.annotations[row])[:80]}"

    def image_and_category(row: int) -> str:
        return f"image_id {images[row]!r}, category_id {categories[row]!r}"

    def id_and_image(row: int) -> str:
        return f"id {ids[row]!r} in {columns.image_of(row)}"

    is_whole = _are_ids(images) & _are_ids(categories)
    yield from columns.found("annotation without image or category", ~is_whole, entry)
    lost = is_whole & (columns.ann_image < 0)
    yield from columns.found("annotation of an unknown image", lost, image_and_category)
    lost = is_whole & (columns.ann_category < 0)
    yield from columns.found("annotation of an unknown category", lost, image_and_category)
    yield from columns.found("id written in another type", columns.retyped, image_and_category)
    odd = _no_integers(ids)
    yield from columns.found("annotation id that is no integer", odd, id_and_image)
    yield from columns.found("annotation id used twice", repeated(ids), id_and_image)
    zero = np.flatnonzero(numbers(ids) == 0)
    yield from columns.found("annotation id 0", zero, id_and_image)
    array = integers(flags)
    if array is not None:
        odd = np.flatnonzero((array != 0) & (array != 1))
    else:
        odd = [row for row, flag in enumerate(flags) if type(flag) is not int or flag not in (0, 1)]
    yield from columns.found(
        "crowd flag other than 0 and 1", odd, lambda row: f"iscrowd {flags[row]!r}"
    )


def _are_ids(values: Sequence[Any]) -> np.ndarray:
    """(N,) bool: whether each is a number or a text."""
    if integers(values) is not None:
        return np.ones(len(values), dtype=bool)
    return np.array([is_id(value) for value in values], dtype=bool)


def _no_integers(values: Sequence[Any]) -> list[int]:
    """Rows of what is no whole number."""
    if integers(values) is not None:
        return []
    return [row for row, value in enumerate(values) if type(value) is not int]


def _check_amounts(columns: Columns) -> Iterator[Finding]:
    """Images with no object and with very many; splits with nothing in them."""
    rows = columns.ann_image[columns.ann_image >= 0]
    counts = np.bincount(rows, minlength=len(columns.images))

    def count(row: int) -> str:
        return f"{counts[row]} annotations in {columns.image_name(row)}"

    problems = np.array([bool(entry.get("problem")) for entry in columns.images], dtype=bool)
    yield from columns.found("image without labels", (counts == 0) & ~problems, count)
    usual = np.median(counts[counts > 0]) if counts.any() else 0
    many = counts > max(_MANY, _MANY_TIMES_MEDIAN * usual)
    yield from columns.found("very many objects in an image", many, count)
