"""Faults that show only where splits are compared."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from vitdet.data_check.columns import Columns, is_id
from vitdet.data_check.finding import Finding

TRAIN_NAMES = ("train", "all")


def training_split(splits: Mapping[str, Columns]) -> Columns | None:
    """The split that is trained on."""
    return next((splits[name] for name in TRAIN_NAMES if name in splits), None)


def check_splits(splits: Mapping[str, Columns]) -> Iterator[Finding]:
    """Look at each split alone for what it lacks, then at the others beside the training split."""
    for columns in splits.values():
        yield from _check_emptiness(columns)
    train = training_split(splits)
    if train is None:
        return
    others = [columns for columns in splits.values() if columns is not train]
    if not others:
        what = "there is one split only"
        yield train.elsewhere("no split to validate on", [train.root.name], what)
    for other in others:
        yield from _check_classes(train, other)
        yield from _check_shared_images(train, other)


def _check_emptiness(columns: Columns) -> Iterator[Finding]:
    files = [columns.source_name]
    if not columns.images:
        yield columns.elsewhere("split without images", files, "no images are listed")
    elif not columns.annotations:
        yield columns.elsewhere("split without annotations", files, "there are no annotations")


def _check_classes(train: Columns, other: Columns) -> Iterator[Finding]:
    train_ids = {_key(entry, "name"): _key(entry, "id") for entry in train.categories}
    train_names = {_key(entry, "id"): _key(entry, "name") for entry in train.categories}
    learned = {
        _key(entry, "name")
        for entry, count in zip(train.categories, train.instances(), strict=True)
        if count
    }
    counts = other.instances()
    moved, unknown, unlearned = [], [], []
    for row, entry in enumerate(other.categories):
        name = _key(entry, "name")
        if name not in train_ids:
            unknown.append(row)
        elif _key(entry, "id") != train_ids[name]:
            moved.append(row)
        if counts[row] and name in train_ids and name not in learned:
            unlearned.append(row)

    def at_train(row: int) -> str:
        entry = other.categories[row]
        meant = train_names.get(_key(entry, "id"))
        return (
            f"{entry.get('name')!r} has id {entry.get('id')!r} here and "
            f"{train_ids[_key(entry, 'name')]!r} in {train.split.name}"
            + (f", where {entry.get('id')!r} is {meant!r}" if meant is not None else "")
        )

    def with_count(row: int) -> str:
        return f"{other.categories[row].get('name')!r}: {counts[row]} instances here"

    yield from other.found("category id of another class in train", moved, at_train)
    yield from other.found("category that train does not list", unknown, with_count)
    yield from other.found("category without instances in train", unlearned, with_count)
    names = {_key(entry, "name") for entry in other.categories}
    absent = [row for row, entry in enumerate(train.categories) if _key(entry, "name") not in names]
    yield from train.found(
        "category that only train lists",
        absent,
        lambda row: f"{train.categories[row].get('name')!r} is not in {other.split.name}",
    )


def _key(entry: Mapping[str, Any], key: str) -> Any:
    """What stands there, or its text where a file has a list in its place."""
    value = entry.get(key)
    return value if value is None or is_id(value) else repr(value)


def _check_shared_images(train: Columns, other: Columns) -> Iterator[Finding]:
    """The same file by its path, whatever is in it."""
    there = set(file_paths(other))
    shared = [
        row for row, path in enumerate(file_paths(train)) if path is not None and path in there
    ]
    yield from train.found(
        "image listed in two splits",
        np.array(shared, dtype=int),
        lambda row: f"{train.image_name(row)} is in {other.split.name} too",
    )


def file_paths(columns: Columns) -> list[str | None]:
    """Where each image should lie; None where it has no name."""
    root = str(columns.split.image_root)
    names = [entry.get("file_name") for entry in columns.images]
    return [f"{root}/{name}" if isinstance(name, str) and name else None for name in names]
