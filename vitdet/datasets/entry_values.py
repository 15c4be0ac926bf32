"""What has to stand under each key of an annotation file's entries, before anything reads it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vitdet.datasets.coco_files import shown, some
from vitdet.errors import UserError

_MAX_SIDE = 1e9  # of boxes and images: of no use beyond, and safe to compute with


def is_id(value: Any) -> bool:
    return isinstance(value, int | str)


def is_name(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def is_side(value: Any) -> bool:
    return isinstance(value, int | float) and 1 <= value < _MAX_SIDE


def is_box(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 4
        and all(isinstance(v, int | float) and abs(v) < _MAX_SIDE for v in value)  # so no NaN
    )


# What has to stand under each key, and the word for it in messages.
Values = Mapping[str, tuple[Callable[[Any], bool], str]]
IMAGE_VALUES: Values = {
    "id": (is_id, "a number"),
    "file_name": (is_name, "a file name"),
    "height": (is_side, "a number of pixels"),
    "width": (is_side, "a number of pixels"),
}
ANNOTATION_VALUES: Values = {
    "image_id": (is_id, "a number"),
    "category_id": (is_id, "a number"),
    "bbox": (is_box, "four finite numbers"),
}


def check_entries(ann_file: str | Path, kind: str, entries: Sequence[Any], values: Values) -> None:
    """Raises UserError if an entry is no object, lacks a key of `values` or has another value."""
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise UserError(f"{ann_file}: {kind} number {number} is {shown(entry)}, not an object")
        missing = [key for key in values if key not in entry]
        if missing:
            raise UserError(
                f"{ann_file}: {kind} {shown(entry.get('id', f'number {number}'))} lacks "
                f"{some(missing)}"
            )
    check_values(ann_file, kind, entries, values)


def check_values(
    ann_file: str | Path, kind: str, entries: Sequence[Mapping[str, Any]], values: Values
) -> None:
    """Raises UserError if one of the entries, which have all keys, has another value there."""
    for key, (fits, wanted) in values.items():
        wrong = next((entry for entry in entries if not fits(entry[key])), None)
        if wrong is not None:
            raise UserError(
                f"{ann_file}: {key} of {kind} {shown(wrong.get('id'))} is {shown(wrong[key])}, not "
                f"{wanted}; tools/check_data.py finds all such and mends them"
            )
