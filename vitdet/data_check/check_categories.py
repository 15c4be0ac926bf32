"""Faults of categories within one split: ids, names, and how often each occurs."""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from vitdet.data_check.columns import Columns, is_id, repeated
from vitdet.data_check.finding import Finding

FEW = 10  # instances
_MIN_LETTERS = 5  # of names that one letter makes different: car and cat are two classes
_NO_CLASS = {"background", "__background__", "void", "unlabeled", "unlabelled", "ignore", "objects"}
_MAX_COMPARED = 2000  # names; with more, only their spelling forms are compared


def check_categories(columns: Columns) -> Iterator[Finding]:
    """Look at ids and names, then at the numbers of instances."""
    categories = columns.categories
    ids = [entry.get("id") for entry in categories]
    names = [entry.get("name") for entry in categories]

    def id_and_name(row: int) -> str:
        return f"id {ids[row]!r} is {names[row]!r}"

    has_id = np.array([is_id(value) for value in ids], dtype=bool)
    is_named = np.array([isinstance(name, str) and bool(name.strip()) for name in names], bool)
    yield from columns.found("category without id", ~has_id, id_and_name)
    yield from columns.found("category without name", ~is_named, id_and_name)
    odd = [row for row, value in enumerate(ids) if has_id[row] and type(value) is not int]
    yield from columns.found("category id that is no integer", odd, id_and_name)
    yield from columns.found("category id used twice", repeated(ids), id_and_name)
    same_id = set(repeated(ids))
    same_name = [row for row in repeated(names) if row not in same_id]
    yield from columns.found("category name used twice", same_name, id_and_name)
    spaced = [row for row, name in enumerate(names) if is_named[row] and name != name.strip()]
    yield from columns.found("category name with spaces around it", spaced, id_and_name)
    nothing = [row for row, name in enumerate(names) if spelling_form(name) in _NO_CLASS]
    yield from columns.found("category that names no class", nothing, id_and_name)
    yield from _check_likeness(columns, names)
    yield from _check_numbering(columns, [value for value in ids if type(value) is int])
    yield from _check_instances(columns)


def spelling_form(name: Any) -> str:
    """What is left of a name without case, spaces, hyphens and underscores."""
    return re.sub(r"[\s_\-]+", " ", name).strip().casefold() if isinstance(name, str) else ""


def _check_likeness(columns: Columns, names: Sequence[Any]) -> Iterator[Finding]:
    forms = [spelling_form(name).replace(" ", "") for name in names]
    first: dict[str, int] = {}
    twin: dict[int, int] = {}
    for row, form in enumerate(forms):
        if form and form in first and names[row] != names[first[form]]:
            twin[row] = first[form]
        first.setdefault(form, row)

    def beside(row: int) -> str:
        return f"{names[row]!r} beside {names[twin[row]]!r}"

    yield from columns.found("category names that differ in case or spaces", list(twin), beside)
    if len(first) > _MAX_COMPARED:
        return
    twin = {}
    for (one, row), (other, other_row) in combinations(first.items(), 2):
        if one and other and _is_one_letter_apart(one, other):
            twin[other_row] = row
    yield from columns.found("category names nearly alike", sorted(twin), beside)


def _is_one_letter_apart(one: str, other: str) -> bool:
    """Whether one letter is exchanged, left out or added, or two stand the other way round."""
    short, long = sorted((one, other), key=len)
    if len(long) - len(short) > 1 or not _has_enough_letters(short, long):
        return False
    at = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(short) < len(long):
        return short[at:] == long[at + 1 :] and long[at].isalpha()
    if not (short[at].isalpha() and long[at].isalpha()):
        return False
    is_exchanged = short[at : at + 2] == long[at : at + 2][::-1]
    return short[at + 1 :] == long[at + 1 :] or (is_exchanged and short[at + 2 :] == long[at + 2 :])


def _has_enough_letters(short: str, long: str) -> bool:
    return len(short) >= _MIN_LETTERS or (len(short) >= 3 and long in (short + "s", short + "es"))


def _check_numbering(columns: Columns, ids: Sequence[int]) -> Iterator[Finding]:
    if not ids:
        return
    rows = {entry.get("id"): row for row, entry in enumerate(columns.categories)}
    if 0 in ids:
        yield from columns.found(
            "category id 0", [rows[0]], lambda row: "ids count from 0, COCO's from 1"
        )
    ordered = sorted(set(ids))
    after_gap = [b for a, b in pairwise(ordered) if b > a + 1]
    yield from columns.found(
        "gaps in the category ids",
        [rows[value] for value in after_gap],
        lambda row: f"no id {columns.categories[row]['id'] - 1}",
    )


def _check_instances(columns: Columns) -> Iterator[Finding]:
    counts = columns.instances()

    def count(row: int) -> str:
        return f"{columns.categories[row].get('name')!r}: {counts[row]} instances"

    yield from columns.found("category without instances", counts == 0, count)
    few = (counts > 0) & (counts < FEW)
    yield from columns.found("category of few instances", few, count)
