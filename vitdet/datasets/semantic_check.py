"""Do label files and classes fit together? Found out before the first step, by counting pixels."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from vitdet.datasets.coco_files import some
from vitdet.datasets.generated import map_on_all_cores
from vitdet.datasets.label_files import read_values
from vitdet.datasets.label_table import CLASSES_FILE, IGNORED, UNKNOWN, Colour, LabelTable
from vitdet.datasets.untrusted_images import BrokenImageError, open_image
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
    """What `read_pairs` counts, where no file has a fault.

    Raises UserError for the first file that has one.
    """
    counts, faults = read_pairs(pairs, colours=colours, max_files=max_files)
    if faults:
        more = f" ({len(faults) - 1} more files have faults)" if len(faults) > 1 else ""
        raise UserError(faults[0] + more)
    return counts


def read_pairs(
    pairs: Sequence[tuple[str | Path, str | Path]],
    *,
    colours: Mapping[Colour, int] | None = None,
    max_files: int = MAX_FILES,
) -> tuple[LabelCounts, list[str]]:
    """Read pairs of image and label file, on all cores, and count the pixels of each value.

    Of more than `max_files` pairs a sample is read, always the same. Images are decoded too, as
    coarsely as their format permits, so that damaged ones are found.

    Returns the counts of the pairs without faults, and a line for each other one: a file is
    missing, damaged, of another size than its image, or no label file (see `read_values`).
    """
    chosen = [(str(image), str(labels)) for image, labels in pairs]
    if len(chosen) > max_files:
        chosen = sorted(random.Random(0).sample(chosen, max_files))
    count = partial(_count_file, dict(colours or {}))
    results = map_on_all_cores(count, chosen, title="reading label files")
    faults = [result for result in results if isinstance(result, str)]
    read = [
        (labels, result)
        for (_, labels), result in zip(chosen, results, strict=True)
        if not isinstance(result, str)
    ]
    pixels = np.stack([result for _, result in read]) if read else np.zeros((0, 256), np.int64)
    return LabelCounts(tuple(labels for labels, _ in read), pixels, len(pairs)), faults


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
        with open_image(path) as image:
            width, height = image.size
            turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
            image.draft("L", (1, 1))  # JPEG is then decoded at an eighth
            image.load()
    except FileNotFoundError:
        raise UserError(f"image not found: {path}") from None
    except BrokenImageError as error:
        raise UserError(
            f"image {path} is damaged or no image ({error}): replace it, or remove it and its "
            "label file"
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
        UserError: naming the value, a file that has it, and the remedies that fit.
    """
    unknown = [value for value in counts.values if table.lookup[value] == UNKNOWN]
    if unknown:
        files = counts.files_with(unknown)
        value = next(v for v in unknown if files[0] in counts.files_with([v]))
        those = "it" if len(unknown) == 1 else f"such values ({_ranges(unknown)})"
        raise UserError(
            f"{files[0]} has the value {value}, which is no class (these are "
            f"{_ranges(table.values)}) and is not ignored; {len(files)} of {len(counts.files)} "
            f"files have {those}, {counts.share(unknown):.1%} of the pixels: "
            f"{_remedy(unknown, counts, table, classes_file)}"
        )
    absent = [k for k, value in enumerate(table.values) if value not in counts.values]
    if len(table.values) - len(absent) < 2:
        used = sorted(set(table.values) & set(counts.values))
        ignored = sorted(table.ignored & set(counts.values))
        raise UserError(
            f"{counts.files[0]} and {len(counts.files) - 1} others have pixels of "
            f"{len(used)} of {len(table.classes)} classes only: values {_ranges(used)}, and "
            f"{_ranges(ignored)} ignored; "
            + _to_name(ignored or [table.values[absent[0]]], table.classes[absent[0]], classes_file)
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
            shift = f"put a first line `ignore`, or the name of the value 0, into {classes_file}"
        if 0 not in counts.values:
            return f"as 0 never occurs, labels seem to count from 1: {shift}"
        return f"{_to_ignore(unknown, classes_file)}; if 0 does and labels count from 1, {shift}"
    if len(unknown) <= 2:
        return f"{_to_ignore(unknown, classes_file)}; {_to_name(unknown, 'name', classes_file)}"
    return _to_name(unknown, "name", classes_file)


def _to_ignore(values: Sequence[int], classes_file: str | Path | None) -> str:
    means = " and ".join(map(str, values)) + (" means" if len(values) == 1 else " mean")
    if classes_file is None:
        return f"if {means} no label, write 255 there in the label files"
    lines = " and ".join(f"`{value}: ignore`" for value in values)
    return f"if {means} no label, add {lines} to {classes_file}"


def _to_name(values: Sequence[int], name: str, classes_file: str | Path | None) -> str:
    if classes_file is None:
        return (
            "where these are not the data set's own label files, name their values in a "
            f"{CLASSES_FILE} and give the folder as --data DIR"
        )
    if len(values) == 1:
        return f"if {values[0]} is a class, add `{values[0]}: {name}` to {classes_file}"
    return f"where they are classes, name them in {classes_file} by lines `value: name`"


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
