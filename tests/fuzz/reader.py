"""What a fuzzed reader is: how its files are made, and how they are read."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Hostile = Callable[[Path], Any]


@dataclass(frozen=True)
class Reader:
    """One reader of outside files.

    Attributes:
        name: what `run.py` calls it.
        write: makes a case in an empty folder, valid files with something wrong, and returns what
            `read` takes.
        read: reads it; a result or `UserError` is right, whatever else happens is a bug.
        hostile: cases made by hand, as `write` makes them; they come first.
    """

    name: str
    write: Callable[[Path, random.Random], Any]
    read: Callable[[Any], Any]
    hostile: Sequence[Hostile] = ()

    def make(self, number: int, folder: Path, *, seed: int = 0) -> Any:
        """Write case `number`, always the same, into `folder`; returns what `read` takes."""
        if number < len(self.hostile):
            return self.hostile[number](folder)
        return self.write(folder, random.Random(f"{self.name} {seed} {number}"))
