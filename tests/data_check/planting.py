"""The list of planted faults, and how one is added to it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

LAST = 43  # id of the last annotation of train
PLANTED: list["Planted"] = []


class Planted(NamedTuple):
    kind: str
    plant: Callable[[Path, dict[str, Any]], None]
    file: str
    id: Any


def planted(kind: str, *, file: str = "train.json", id: Any = LAST) -> Callable:
    """Register a function that edits the folder or the content of train.json."""

    def register(plant: Callable[[Path, dict[str, Any]], None]) -> Callable:
        PLANTED.append(Planted(kind, plant, file, id))
        return plant

    return register


def planted_values(kind: str, **values: Any) -> None:
    """Register values of the last annotation."""
    PLANTED.append(
        Planted(kind, lambda _, c: c["annotations"][-1].update(values), "train.json", LAST)
    )
