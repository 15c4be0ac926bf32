"""What the check of a data set found."""

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

Severity = Literal["error", "warning", "note"]
Level = Literal["images", "annotations", "categories"]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
MAX_EXAMPLES = 5


class Example(NamedTuple):
    """One place of a fault: the file a user opens, the id to look for in it, and what is there."""

    file: str
    id: Any
    what: str


@dataclass(frozen=True)
class Finding:
    """One kind of fault in one split.

    Attributes:
        kind: a key of `faults.FAULTS`.
        severity: an error spoils a training or is lost in it, a warning probably does.
        split: its name, as in `DataFolder.splits`; empty where it is about the whole folder.
        count: of places.
        examples: the first places.
        action: what a mended copy does about it.
        level: the list of the split's COCO dict that `rows` count in.
        rows: all places, ascending.
    """

    kind: str
    severity: Severity
    split: str
    count: int
    examples: list[Example]
    action: str
    level: Level
    rows: np.ndarray = field(repr=False, compare=False)
