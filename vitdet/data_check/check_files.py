"""Faults between the entries for images and the files on the disk."""

import os
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePath
from typing import Literal

import numpy as np

from vitdet.data_check.check_splits import file_paths, training_split
from vitdet.data_check.columns import Columns
from vitdet.data_check.finding import Finding
from vitdet.data_check.image_files import ImageFile, list_folders, read_image_files
from vitdet.data_check.label_frame import resized_images
from vitdet.datasets.formats.file_names import leads_outside
from vitdet.datasets.images import IMAGE_SUFFIXES

Reading = Literal["names", "brief", "pixels"]

# In brief: of so many files the pixels are read; of more the heads of some, drawn at random.
_MAX_WHOLE, _MAX_HEADS = 1000, 2000


class ImageFiles:
    """The image files of all splits: which are there, and what was read of them.

    Attributes:
        listings: names and lengths of the files of every folder that images lie in.
        there: for each split, (I,) bool, whether an image's file is there.
        read: what was read of each file, by path.
    """

    def __init__(
        self, splits: Mapping[str, Columns], reading: Reading, known: Mapping[str, ImageFile]
    ) -> None:
        self.paths = {name: _safe_paths(columns) for name, columns in splits.items()}
        named = [path for paths in self.paths.values() for path in paths if path is not None]
        self.listings = list_folders(map(os.path.dirname, named))
        self.there = {
            name: np.array([path is not None and self._length(path) >= 0 for path in paths], bool)
            for name, paths in self.paths.items()
        }
        self.read = dict(known)
        self._resized: dict[str, set[int]] = {}
        if reading == "names":
            return
        lengths = {path: self._length(path) for path in named}
        present = sorted(path for path, length in lengths.items() if length >= 0)
        is_sample = reading == "brief" and len(present) > _MAX_HEADS
        chosen = sorted(random.Random(0).sample(present, _MAX_HEADS)) if is_sample else present
        is_whole = reading == "pixels" or (reading == "brief" and len(chosen) <= _MAX_WHOLE)
        self.read |= read_image_files(chosen, lengths, is_whole=is_whole)
        if is_sample and any(self._odd_sizes(columns) for columns in splits.values()):
            rest = [path for path in present if path not in self.read]
            self.read |= read_image_files(rest, lengths, is_whole=False)

    def _length(self, path: str) -> int:
        folder, name = os.path.split(path)
        return self.listings[folder].get(name, -1)

    def of(self, columns: Columns, row: int) -> ImageFile | None:
        path = self.paths[columns.split.name][row]
        return self.read.get(path) if path is not None else None

    def true_sizes(self, columns: Columns) -> dict[int, tuple[int, int]]:
        """Sizes of the images by row, in the frame that their labels are in."""
        sizes = {}
        for row in range(len(columns.images)):
            file = self.of(columns, row)
            if file is not None and not file.problem and row not in self.resized(columns):
                is_unturned = _is_labelled_unturned(columns, row, file)
                sizes[row] = file.size if is_unturned else file.upright_size
        return sizes

    def resized(self, columns: Columns) -> set[int]:
        """Rows of images that have another size than when they were labelled."""
        name = columns.split.name
        if name not in self._resized:
            self._resized[name] = resized_images(columns, self._odd_sizes(columns))
        return self._resized[name]

    def _odd_sizes(self, columns: Columns) -> dict[int, tuple[int, int]]:
        """Sizes of the files, upright, that are not those which their entries give."""
        sizes = {}
        for row, written in enumerate(columns.written_size):
            file = self.of(columns, row)
            if file is None or file.problem or np.isnan(written).any():
                continue
            is_unturned = _is_labelled_unturned(columns, row, file)
            if tuple(written) != file.upright_size and not is_unturned:
                sizes[row] = file.upright_size
        return sizes

    def head(self, columns: Columns, row: int) -> ImageFile | None:
        """What the head of one file says; None if there is no such file."""
        path = self.paths[columns.split.name][row]
        if path is None or self._length(path) < 0:
            return None
        return read_image_files([path], {path: 0}, is_whole=False)[path]

    def near_name(self, columns: Columns, row: int) -> str | None:
        """The one file whose name differs from the missing one's in case or ending only."""
        path = self.paths[columns.split.name][row]
        near = self._by_stem[os.path.dirname(path)].get(PurePath(path).stem.lower(), ())
        if len(near) != 1:
            return None
        return str(PurePath(columns.images[row]["file_name"]).with_name(near[0]))

    @cached_property
    def _by_stem(self) -> dict[str, dict[str, list[str]]]:
        """Names of images in each folder, by their stem in lower case."""
        stems: dict[str, dict[str, list[str]]] = {}
        for folder, names in self.listings.items():
            stems[folder] = defaultdict(list)
            for name in map(PurePath, names):
                if name.suffix.lower() in IMAGE_SUFFIXES:
                    stems[folder][name.stem.lower()].append(name.name)
        return stems


def _is_labelled_unturned(columns: Columns, row: int, file: ImageFile) -> bool:
    """Whether the written size is that of the image before EXIF turns it."""
    written = tuple(columns.written_size[row])
    return file.is_turned and written == file.size and written != file.upright_size


def _safe_paths(columns: Columns) -> list[str | None]:
    """As `file_paths`, but None too for a name that leaves the folder: such are not looked at."""
    paths = file_paths(columns)
    return [
        None if path is None or leads_outside(entry["file_name"]) else path
        for path, entry in zip(paths, columns.images, strict=True)
    ]


def check_files(splits: Mapping[str, Columns], files: ImageFiles) -> Iterator[Finding]:
    """Look at each split's files, then for pictures that occur twice."""
    for columns in splits.values():
        yield from _check_presence(columns, files)
        yield from _check_content(columns, files)
    yield from _check_unlisted(splits, files)
    yield from _check_doubles(splits, files)


def _check_presence(columns: Columns, files: ImageFiles) -> Iterator[Finding]:
    paths = files.paths[columns.split.name]
    has_path = np.array([path is not None for path in paths], dtype=bool)
    absent = np.flatnonzero(has_path & ~files.there[columns.split.name])
    near = {row: files.near_name(columns, row) for row in absent.tolist()}

    def where(row: int) -> str:
        return f"not in {Path(paths[row]).parent}"

    yield from columns.found(
        "image file under another name",
        [row for row, name in near.items() if name],
        lambda row: f"there is {near[row]}",
    )
    lost = [row for row, name in near.items() if not name]
    labelled = [row for row in lost if columns.images[row].get("label_file")]
    yield from columns.found("label file without image", labelled, where)
    unlabelled = [row for row in lost if not columns.images[row].get("label_file")]
    yield from columns.found("image file missing", unlabelled, where)


def _check_content(columns: Columns, files: ImageFiles) -> Iterator[Finding]:
    read = {row: files.of(columns, row) for row in range(len(columns.images))}
    read = {row: file for row, file in read.items() if file is not None}

    def problem(row: int) -> str:
        return read[row].problem

    broken = [row for row, file in read.items() if file.problem]
    cut_off = [row for row in broken if read[row].is_truncated]
    yield from columns.found("image file truncated", cut_off, problem)
    unreadable = [row for row in broken if not read[row].is_truncated]
    yield from columns.found("image file unreadable", unreadable, problem)

    def sizes(row: int) -> str:
        width, height = columns.written_size[row]
        file_width, file_height = read[row].upright_size
        text = f"{width:.0f}x{height:.0f} in the labels, {file_width}x{file_height} in the file"
        return text + f" (EXIF orientation {read[row].orientation})" * (read[row].orientation > 1)

    resized = files.resized(columns)
    different, turned, mirrored = [], [], []
    for row, file in read.items():
        if file.problem:
            continue
        written = tuple(columns.written_size[row])
        if _is_labelled_unturned(columns, row, file):
            turned.append(row)
        elif not np.isnan(written[0] + written[1]) and written != file.upright_size:
            if row not in resized:
                different.append(row)
        elif 2 <= file.orientation <= 4:
            mirrored.append(row)
    yield from columns.found("image turned by EXIF", turned, sizes)
    yield from columns.found("image resized after it was labelled", sorted(resized), sizes)
    yield from columns.found("image size differs from the file", different, sizes)
    yield from columns.found("image mirrored or upside down by EXIF", mirrored, sizes)
    unusual = [row for row, file in read.items() if not file.problem and file.is_unusual]
    yield from columns.found(
        "image of an unusual kind", unusual, lambda row: f"its pixels are {read[row].mode}"
    )


def _check_unlisted(splits: Mapping[str, Columns], files: ImageFiles) -> Iterator[Finding]:
    """Images that lie beside listed ones; told of the first split, whose they may be or not."""
    listed = {path for paths in files.paths.values() for path in paths}
    first = next(iter(splits.values()))
    root = f"{first.root}/"
    unlisted = [
        f"{folder}/{name}".removeprefix(root)
        for folder, names in files.listings.items()
        for name in sorted(names)
        if PurePath(name).suffix.lower() in IMAGE_SUFFIXES and f"{folder}/{name}" not in listed
    ]
    if unlisted:
        yield first.elsewhere("image file that nothing lists", unlisted, "no entry names it")


def _check_doubles(splits: Mapping[str, Columns], files: ImageFiles) -> Iterator[Finding]:
    """Files of equal content under different names."""
    groups: dict[bytes, list[tuple[Columns, int]]] = defaultdict(list)
    for columns in splits.values():
        for row in range(len(columns.images)):
            file = files.of(columns, row)
            if file is not None and file.digest is not None and not file.problem:
                groups[file.digest].append((columns, row))
    train = training_split(splits)
    twins: dict[str, dict[int, str]] = defaultdict(dict)
    leaks: dict[int, str] = {}
    for members in groups.values():
        seen: dict[str, tuple[str, int]] = {}
        for columns, row in members:
            path = files.paths[columns.split.name][row]
            first = seen.setdefault(columns.split.name, (path, row))
            if path != first[0]:
                twins[columns.split.name][row] = columns.image_name(first[1])
        others = [(c, row) for c, row in members if c is not train]
        for columns, row in members:
            path = files.paths[columns.split.name][row]
            if columns is train and others:
                other, other_row = others[0]
                if files.paths[other.split.name][other_row] != path:
                    leaks[row] = f"{other.image_name(other_row)} in {other.split.name}"
    for name, same in twins.items():
        columns = splits[name]
        yield from columns.found(
            "same picture twice", list(same), lambda row, same=same: f"the same file as {same[row]}"
        )
    if train is not None:
        yield from train.found(
            "same picture in two splits", list(leaks), lambda row: f"the same file as {leaks[row]}"
        )
