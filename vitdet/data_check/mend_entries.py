"""Mends of entries for images, annotations and categories, and of their ids."""

from collections import defaultdict
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np

from vitdet.data_check.check_categories import spelling_form
from vitdet.data_check.finding import Level
from vitdet.data_check.mended_split import MendedSplit
from vitdet.data_check.moved_labels import resized_annotation, turned_annotation

Mend = Callable[[MendedSplit, np.ndarray], None]

_POINTER = {"images": "image_id", "categories": "category_id"}


def _drop_annotations(split: MendedSplit, rows: np.ndarray) -> None:
    split.leave_out("annotations", rows)


def _drop_images(split: MendedSplit, rows: np.ndarray) -> None:
    split.leave_images_out(rows)


def _take_near_name(split: MendedSplit, rows: np.ndarray) -> None:
    for row in rows.tolist():
        split.change("images", row, file_name=split.files.near_name(split.columns, row))


def _take_file_size(split: MendedSplit, rows: np.ndarray) -> None:
    for row in rows.tolist():
        file = split.files.of(split.columns, row) or split.files.head(split.columns, row)
        if file is None or file.size is None:
            split.leave_images_out([row])
        else:
            width, height = file.upright_size
            split.change("images", row, width=width, height=height)


def _turn_labels(split: MendedSplit, rows: np.ndarray) -> None:
    for row in rows.tolist():
        file = split.files.of(split.columns, row)
        width, height = file.upright_size
        split.change("images", row, width=width, height=height)
        for ann in split.annotations_of("images", row):
            split.annotations[ann] = turned_annotation(
                split.annotations[ann], file.size, file.orientation
            )


def _resize_labels(split: MendedSplit, rows: np.ndarray) -> None:
    for row in rows.tolist():
        size = split.columns.written_size[row]
        width, height = split.files.of(split.columns, row).upright_size
        split.change("images", row, width=width, height=height)
        for ann in split.annotations_of("images", row):
            split.annotations[ann] = resized_annotation(
                split.annotations[ann], (int(size[0]), int(size[1])), (width, height)
            )


def _write_pointers(split: MendedSplit, rows: np.ndarray) -> None:
    for row in rows.tolist():
        image, category = split.columns.ann_image[row], split.columns.ann_category[row]
        if image >= 0:
            split.change("annotations", row, image_id=split.images[image]["id"])
        if category >= 0:
            split.change("annotations", row, category_id=split.categories[category]["id"])


def _number_anew(split: MendedSplit, level: Level, rows: np.ndarray) -> None:
    """Give entries ids after the greatest, and what points to them with it."""
    taken = [entry.get("id") for entry in getattr(split, level)]
    fresh = count(max((value for value in taken if type(value) is int), default=0) + 1)
    for row in rows.tolist():
        _give_id(split, level, row, next(fresh))


def _give_id(split: MendedSplit, level: Level, row: int, new_id: int) -> None:
    split.change(level, row, id=new_id)
    if level in _POINTER:
        for ann in split.annotations_of(level, row):
            split.change("annotations", ann, **{_POINTER[level]: new_id})


def _number(level: Level) -> Mend:
    return lambda split, rows: _number_anew(split, level, rows)


def _merge(split: MendedSplit, level: Level, rows: list[int], into: int) -> None:
    """Hand what is annotated with `rows` over to another entry."""
    new_id = getattr(split, level)[into].get("id")
    for row in rows:
        if row != into:
            for ann in split.annotations_of(level, row):
                split.change("annotations", ann, **{_POINTER[level]: new_id})
            split.leave_out(level, [row])


def _groups(split: MendedSplit, level: Level, key: str, rows: np.ndarray) -> list[list[int]]:
    entries = getattr(split.columns, level)
    wanted = {entries[row].get(key) for row in rows.tolist()}
    groups: dict[Any, list[int]] = defaultdict(list)
    for row, entry in enumerate(entries):
        value = entry.get(key)
        if isinstance(value, str | int | float) and value in wanted:
            groups[value].append(row)
    return list(groups.values())


def _part_images(split: MendedSplit, rows: np.ndarray) -> None:
    """Of images with one id keep the first if all name one file, else none."""
    for group in _groups(split, "images", "id", rows):
        names = {str(split.columns.images[row].get("file_name")) for row in group}
        if len(names) == 1:
            split.leave_out("images", group[1:])
        else:
            split.leave_images_out(group)


def _merge_images(split: MendedSplit, rows: np.ndarray) -> None:
    for group in _groups(split, "images", "file_name", rows):
        _merge(split, "images", group, into=group[0])


def _part_categories(split: MendedSplit, rows: np.ndarray) -> None:
    """Of categories with one id keep the first if all have one name, else none."""
    for group in _groups(split, "categories", "id", rows):
        names = {str(split.columns.categories[row].get("name")) for row in group}
        if len(names) == 1:
            split.leave_out("categories", group[1:])
        else:
            split.leave_out("categories", group)
            # all that have this id point to the first
            split.leave_out("annotations", split.annotations_of("categories", group[0]))


def _merge_categories(split: MendedSplit, rows: np.ndarray) -> None:
    for group in _groups(split, "categories", "name", rows):
        _merge(split, "categories", group, into=group[0])


def _merge_spellings(split: MendedSplit, rows: np.ndarray) -> None:
    counts = split.columns.instances()
    groups: dict[str, list[int]] = defaultdict(list)
    for row, entry in enumerate(split.columns.categories):
        groups[spelling_form(entry.get("name")).replace(" ", "")].append(row)
    for group in groups.values():
        if set(group) & set(rows.tolist()):
            _merge(split, "categories", group, into=max(group, key=lambda row: counts[row]))


def _name_by_id(split: MendedSplit, rows: np.ndarray) -> None:
    for row in rows.tolist():
        split.change("categories", row, name=f"class {split.categories[row].get('id')}")


def _strip_name(split: MendedSplit, rows: np.ndarray) -> None:
    for row in rows.tolist():
        split.change("categories", row, name=split.categories[row]["name"].strip())


def _drop_categories(split: MendedSplit, rows: np.ndarray) -> None:
    split.leave_out("categories", rows)


MENDS: dict[str, Mend] = {
    "id written in another type": _write_pointers,
    "image turned by EXIF": _turn_labels,
    "image resized after it was labelled": _resize_labels,
    "image file under another name": _take_near_name,
    "image size missing": _take_file_size,
    "image size differs from the file": _take_file_size,
    "annotation id used twice": _number("annotations"),
    "annotation id that is no integer": _number("annotations"),
    "annotation id 0": _number("annotations"),
    "category without name": _name_by_id,
    "category name with spaces around it": _strip_name,
    "image id that is no integer": _number("images"),
    "category id that is no integer": _number("categories"),
    "image listed twice": _merge_images,
    "category name used twice": _merge_categories,
    "category names that differ in case or spaces": _merge_spellings,
    "image id used twice": _part_images,
    "category id used twice": _part_categories,
    "category without id": _drop_categories,
    "image entry without id or file name": _drop_images,
    "label file that cannot be used": _drop_images,
    "label file without image": _drop_images,
    "file name that leaves the folder": _drop_images,
    "image file missing": _drop_images,
    "image file unreadable": _drop_images,
    "image file truncated": _drop_images,
    "annotation without image or category": _drop_annotations,
    "annotation of an unknown image": _drop_annotations,
    "annotation of an unknown category": _drop_annotations,
}
