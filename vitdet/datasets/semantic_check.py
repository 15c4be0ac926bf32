"""Do label files and classes fit together? Found out before the first step, by counting pixels."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from vitdet.datasets.coco_files import some
from vitdet.datasets.generated import map_on_all_cores
from vitdet.datasets.label_files import read_values
from vitdet.datasets.label_table import IGNORED, UNKNOWN, Colour, LabelTable
from vitdet.errors import UserError

MAX_FILES = 2000  # of a larger set so many are read, drawn at random
_ORIENTATION = 0x0112  # EXIF tag; from 5 on, the image is turned by 90 degrees when it is read


@dataclass(frozen=True)
class LabelCounts:
    """What stands in the label files of one split.

    Attributes:
        files: the label files that were read.
        pixels: (files, 256) pixels of each value in each file.
        num_files: how many there are, read or not.
    """

    files: tuple[str, ...]
    pixels: np.ndarray
    num_files: int

    @property
    def values(self) -> list[int]:
        """Values that occur."""
        return np.flatnonzero(self.pixels.any(axis=0)).tolist()

    def files_with(self, values: Sequence[int]) -> list[str]:
        """Files in which one of the values occurs."""
        rows = self.pixels[:, list(values)].any(axis=1)
        return [self.files[row] for row in np.flatnonzero(rows)]

    def share(self, values: Sequence[int]) -> float:
        """Share of the pixels that have one of the values."""
        return float(self.pixels[:, list(values)].sum() / self.pixels.sum())


def count_values(
    pairs: Sequence[tuple[str | Path, str | Path]],
    *,
    colours: Mapping[Colour, int] | None = None,
    max_files: int = MAX_FILES,
) -> LabelCounts:
    """Read pairs of image and label file, on all cores, and count the pixels of each value.

    Of more than `max_files` pairs a sample is read, always the same. Images are decoded too, as
    coarsely as their format permits, so that damaged ones are found.

    Raises UserError for the first file that is missing, damaged, of another size than its image, or
    no label file (see `read_values`).
    """
    chosen = [(str(image), str(labels)) for image, labels in pairs]
    if len(chosen) > max_files:
        chosen = sorted(random.Random(0).sample(chosen, max_files))
    count = partial(_count_file, dict(colours or {}))
    results = map_on_all_cores(count, chosen, title="reading label files")
    faults = [result for result in results if isinstance(result, str)]
    if faults:
        more = f" ({len(faults) - 1} more files have faults)" if len(faults) > 1 else ""
        raise UserError(faults[0] + more)
    return LabelCounts(tuple(labels for _, labels in chosen), np.stack(results), len(pairs))


def _count_file(colours: dict[Colour, int], pair: tuple[str, str]) -> np.ndarray | str:
    """(256,) pixels of each value, or what is wrong; exceptions would end the other processes."""
    image, labels = pair
    try:
        values = read_values(labels, colours)
        width, height = _image_size(image)
    except UserError as error:
        return str(error)
    if values.shape != (height, width):
        return (
            f"{labels} is {values.shape[1]}x{values.shape[0]}, its image {image} is "
            f"{width}x{height}: label files need the size of their image, scale them without "
            "interpolation (nearest)"
        )
    return np.bincount(values.ravel(), minlength=256)


def _image_size(path: str) -> tuple[int, int]:
    """(W, H) as OpenCV will read it. Raises UserError if the file is missing or damaged."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(_ORIENTATION, 1) >= 5
            image.draft("L", (width // 8, height // 8))  # JPEG is then decoded at an eighth
            image.load()
    except FileNotFoundError:
        raise UserError(f"image not found: {path}") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(
            f"image {path} is damaged or no image ({' '.join(str(error).split())}): replace it, or "
            "remove it and its label file"
        ) from None
    return (height, width) if turned else (width, height)


def name_values(counts: Sequence[LabelCounts], where: str) -> tuple[str, ...]:
    """Names for the values of files that nothing names: `class 0`, `class 1`, ...

    `where` is the file that could name them. Raises UserError if the values have gaps or are too
    few, so that they cannot be numbers of classes.
    """
    values = sorted({value for one in counts for value in one.values} - {IGNORED})
    if values != list(range(max(len(values), 2))):
        raise UserError(
            f"{where} is missing, and the values of the label files are no plain numbers of "
            f"classes: {_ranges(values)}{_without_255(counts)}. Write {where} with a line for each "
            "value: `value: name`, or `value: ignore` where it is no class"
        )
    return tuple(f"class {value}" for value in values)


def _without_255(counts: Sequence[LabelCounts]) -> str:
    return " and 255" if any(IGNORED in one.values for one in counts) else ""


def check_values(
    counts: LabelCounts, table: LabelTable, *, classes_file: str | Path | None = None
) -> None:
    """Look whether every value is a class or ignored, and whether two classes occur at all.

    `classes_file` is where the user names classes; None for a data set that mmseg defines.

    Raises:
        UserError: names the value, a file that has it, and the remedies that fit.
    """
    unknown = [value for value in counts.values if table.lookup[value] == UNKNOWN]
    if unknown:
        files = counts.files_with(unknown)
        value = next(v for v in unknown if counts.pixels[counts.files.index(files[0]), v])
        all_of_them = "" if len(unknown) == 1 else f"; such values are {_ranges(unknown)}"
        raise UserError(
            f"{files[0]} has the value {value}, which is no class and is not ignored: the "
            f"{len(table.classes)} classes are the values {_ranges(table.values)}{all_of_them} in "
            f"{len(files)} of {len(counts.files)} files, {counts.share(unknown):.1%} of the "
            f"pixels. {_remedy(unknown, counts, table, classes_file)}"
        )
    present = [value for value in table.values if value in counts.values]
    if len(present) < 2:
        only = f"only {table.classes[table.values.index(present[0])]!r}" if present else "no class"
        raise UserError(
            f"{only} occurs in the label files ({counts.files[0]} and {len(counts.files) - 1} "
            f"others): their values are {_ranges(counts.values)}, of which "
            f"{_ranges(sorted(table.ignored))} are ignored. "
            + _to_name("a value that is a class", classes_file)
        )


def _remedy(
    unknown: Sequence[int],
    counts: LabelCounts,
    table: LabelTable,
    classes_file: str | Path | None,
) -> str:
    """What the user may do about values that are no class, the likeliest first."""
    num_classes = len(table.classes)
    numbered = list(table.values) == list(range(num_classes))
    if numbered and list(unknown) == [num_classes]:  # one too many: a shift or a void class
        if classes_file is None:
            shift = "set reduce_zero_label=True in the data sets"
        else:
            shift = f"put a first line `ignore` (or the name of the value 0) into {classes_file}"
        if 0 not in counts.values:
            return f"The value 0 never occurs, so labels seem to count from 1: {shift}"
        return (
            f"If labels count from 1 and 0 is no label, {shift}; "
            f"{_to_ignore(unknown, classes_file)}"
        )
    if len(unknown) <= 2:
        return _capital(_to_ignore(unknown, classes_file)) + "; " + _to_name("if not", classes_file)
    return _capital(_to_name("so many values need names", classes_file))


def _to_ignore(values: Sequence[int], classes_file: str | Path | None) -> str:
    names = " and ".join(map(str, values))
    if classes_file is None:
        return f"if {names} means no label, write 255 in its place into the label files"
    lines = " and ".join(f"`{value}: ignore`" for value in values)
    return f"if {names} means no label, add the line {lines} to {classes_file}"


def _to_name(what: str, classes_file: str | Path | None) -> str:
    if classes_file is None:
        return (
            f"{what}: these are not the data set's own label files; a folder of yours with a "
            "classes.txt trains with --data DIR"
        )
    return f"{what}: name each value in {classes_file}, in lines `value: name`"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _ranges(values: Sequence[int]) -> str:
    """`0 to 3, 7, 9` for 0, 1, 2, 3, 7, 9."""
    runs: list[list[int]] = []
    for value in sorted(values):
        if runs and value == runs[-1][-1] + 1:
            runs[-1].append(value)
        else:
            runs.append([value])
    texts = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return some(texts, limit=8) or "none"
