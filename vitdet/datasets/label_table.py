"""What the values in label files mean: `classes.txt`, and the table that is made of it."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from vitdet.errors import UserError

IGNORED = 255  # label of pixels that nobody labelled, and by default their value in files
UNKNOWN = 254  # what the lookup gives for values that the table does not have
CLASSES_FILE = "classes.txt"
_VALUE = re.compile(r"(\d+)\s*:\s*")
_WORD = re.compile(r"[^\s,]+")

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class LabelTable:
    """Which value of a label file is which class.

    Attributes:
        classes: names; label i is class i.
        values: value of each class in the files, 0 to 255.
        ignored: values of pixels without a label.
        colours: value that an RGB colour stands for in files of three channels.
    """

    classes: tuple[str, ...]
    values: tuple[int, ...]
    ignored: frozenset[int] = frozenset({IGNORED})
    colours: Mapping[Colour, int] = field(default_factory=dict)

    @cached_property
    def lookup(self) -> np.ndarray:
        """(256,) uint8: label of each value, `IGNORED` or `UNKNOWN`."""
        lookup = np.full(256, UNKNOWN, np.uint8)
        lookup[list(self.ignored)] = IGNORED
        lookup[list(self.values)] = np.arange(len(self.values))
        return lookup

    @property
    def palette(self) -> list[Colour] | None:
        """RGB of each class, if all have one."""
        colour_of = {value: colour for colour, value in self.colours.items()}
        if any(value not in colour_of for value in self.values):
            return None
        return [colour_of[value] for value in self.values]


def numbered_table(classes: Sequence[str], *, first: int = 0) -> LabelTable:
    """The usual one: class i has the value i + `first`; ignored are 255 and what is below."""
    values = tuple(range(first, first + len(classes)))
    return LabelTable(tuple(classes), values, frozenset({*range(first), IGNORED}))


def read_label_table(path: str | Path) -> LabelTable:
    """Read `classes.txt`.

    Line k, counting from 0, names the value k. Where that does not suit, a line begins with its
    value and a colon (`255: road`). The name `ignore` marks a value that is no class; 255 is
    ignored unless it is named. A name may be followed by its colour, three numbers from 0 to 255.

    Raises UserError if a line is empty or out of range, or if something is named twice.
    """
    path = Path(path)
    if not path.is_file():  # a pipe would be waited for
        raise UserError(f"{path} is missing, or no file")
    try:
        lines = path.read_text("utf-8-sig").rstrip().split("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text in UTF-8: {error.reason}") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    names: dict[int, str] = {}
    colours: dict[Colour, int] = {}
    for number, line in enumerate(lines):
        value, name, colour = _parse(line.strip(), number, path)
        if value in names:
            raise UserError(f"{path}: value {value} is named twice: {names[value]!r} and {name!r}")
        names[value] = name
        if colour is not None and colours.setdefault(colour, value) != value:
            raise UserError(f"{path}: {names[colours[colour]]!r} and {name!r} have one colour")
    ignored = {value for value, name in names.items() if name.lower() == "ignore"}
    classes = {value: name for value, name in sorted(names.items()) if value not in ignored}
    _check_names(list(classes.values()), path)
    if IGNORED not in names:
        ignored.add(IGNORED)
    return LabelTable(tuple(classes.values()), tuple(classes), frozenset(ignored), colours)


def _parse(line: str, number: int, path: Path) -> tuple[int, str, Colour | None]:
    given = _VALUE.match(line)
    name = line[given.end() :] if given else line
    words = list(_WORD.finditer(name))
    colour = None
    # Without a value, a line of nothing but three numbers is a name.
    if len(words) >= (3 if given else 4) and all(word[0].isdecimal() for word in words[-3:]):
        colour = tuple(_whole(word[0]) for word in words[-3:])
        name = name[: words[-4].end()] if len(words) > 3 else ""
    if not name:
        raise UserError(
            f"{path}, line {number + 1} names no class: every line names the value of its number, "
            "counting from 0; write ignore for a value that is no class"
        )
    value = _whole(given[1]) if given else number
    if max((value, *(colour or ()))) > 255:
        raise UserError(f"{path}, line {number + 1}: {line!r} has a number above 255")
    return value, name, colour


def _whole(digits: str) -> int:
    """Python refuses to read numbers of thousands of digits; such a one is too large anyway."""
    return int(digits[:20])


def _check_names(names: Sequence[str], path: Path) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UserError(f"{path} names {twice[0]!r} twice: classes need different names")
    if len(names) < 2:
        raise UserError(
            f"{path} names {len(names)} class: a segmentation tells at least two apart, name the "
            "background too"
        )
    if len(names) > UNKNOWN:
        raise UserError(f"{path} names {len(names)} classes; at most {UNKNOWN} have room in 8 bits")
