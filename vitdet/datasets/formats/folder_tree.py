"""All files of a data folder, listed once, and found by what label files call them."""

import os
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath

from vitdet.datasets.formats.file_names import (
    folder_of,
    is_image,
    path_parts,
    stem_of,
)
from vitdet.datasets.formats.splits import split_of_word
from vitdet.errors import UserError

# Above a single file or a folder without images, they are looked for this many folders deep.
_DEPTH_ABOVE = 3
# Files of one kind in one folder are alike: so many are opened to tell a format.
_SAMPLES = 10
_MAX_PARTS = 50  # of a path in a label file; a longer one is none
_LABEL_WORDS = ("mask", "seg", "label", "annot", "panoptic", "depth", "semantic")
_IMAGE_WORDS = ("image", "img", "photo", "picture")


class FolderTree:
    """The files under `root`, as names relative to it with forward slashes.

    `given` may be a folder, one label file, or a folder of label files alone. For the latter two
    `root` is the folder above that holds their images, and labels elsewhere in it do not count.
    Names in label files are only ever compared with this listing, so that none leads out of it.

    Raises UserError if there is nothing at `given`.
    """

    def __init__(self, given: str | Path) -> None:
        self.given = Path(given)
        self.single = self.given.is_file()
        if not self.single and not self.given.is_dir():
            raise UserError(f"data folder not found: {given}")
        self.root = self.given.parent if self.single else self.given
        files = [] if self.single else list_files(self.given)
        if self.single or not any(map(is_image, files)):
            self._move_to_images()
        inside = self.given.relative_to(self.root).as_posix()
        self.labels = [inside] if self.single else files
        if not self.single and inside != ".":
            self.labels = [f"{inside}/{name}" for name in files]
        self._files = None if self.given != self.root else files

    def _move_to_images(self) -> None:
        """Let `root` be a folder above that holds images, if names say that this one is of labels.

        Images of other data might be taken otherwise, that have the same names.
        """
        inner, outer = self.given.absolute(), self.given.absolute().parent
        if (self.single or _sounds_of_labels(inner.name)) and _has_images(outer):
            self.root, self.given = outer, inner
        elif _sounds_of_labels(outer.name) and _has_images(outer.parent):
            self.root, self.given = outer.parent, inner

    @cached_property
    def images(self) -> list[str]:
        """All image files, sorted."""
        files = self._files
        if files is None:
            files = list_files(self.root, max_depth=_DEPTH_ABOVE)
        return [name for name in files if is_image(name)]

    @cached_property
    def images_set(self) -> set[str]:
        return set(self.images)

    @cached_property
    def folders(self) -> set[str]:
        """All folders that hold an image, however deep in them."""
        found: set[str] = set()
        for folder in {folder_of(name) for name in self.images}:
            while folder not in found:
                found.add(folder)
                folder = folder_of(folder)
        return found

    def with_suffix(self, *suffixes: str) -> list[str]:
        """The label files with one of the endings, which are in small letters with their dot."""
        return [name for name in self.labels if os.path.splitext(name)[1].lower() in suffixes]

    def samples(self, *suffixes: str) -> list[str]:
        """Some of the files with these endings out of every folder that has any."""
        by_folder: dict[str, list[str]] = defaultdict(list)
        for name in self.with_suffix(*suffixes):
            by_folder[folder_of(name)].append(name)
        return [name for names in by_folder.values() for name in names[:_SAMPLES]]

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        names = defaultdict(list)
        for name in self.images:
            names[stem_of(name).lower()].append(name)
        return names

    def image_by_stem(self, stem: str, *, near: str) -> str | None:
        """The image called `stem` without its ending; of several, that nearest to file `near`."""
        found = self._by_stem.get(stem.lower())
        return max(found, key=lambda name: _nearness(name, near)) if found else None

    def image_by_name(self, text: str, *, near: str) -> str | None:
        """The image that file `near` calls `text`, which may be a path of another computer.

        Of several images with that name it is the one that shares most folders with `text`, then
        with `near`.
        """
        parts = path_parts(text)
        if not parts:
            return None
        found = [
            name
            for name in self._by_stem.get(stem_of(parts[-1]).lower(), ())
            if PurePosixPath(name).name.lower() == parts[-1].lower()
        ]
        return max(
            found,
            key=lambda name: (*_common_end(name.split("/"), parts), *_nearness(name, near)),
            default=None,
        )

    def folder_by_name(self, text: str, *, near: str) -> str | None:
        """The folder of images that `text` means, seen from file `near`, or None.

        Paths of other computers and wrong `../` are common: the longest end of the path that is
        such a folder counts.
        """
        parts = path_parts(text)[-_MAX_PARTS:]
        here = folder_of(near)
        while True:
            for folder in ("/".join([here, *parts]).strip("/"), "/".join(parts)):
                if folder in self.folders:
                    return folder
            # `images` alone is not what `valid/images` means
            if len(parts) < 2 or split_of_word(parts[0]):
                return None
            parts = parts[1:]


def list_files(root: Path, *, max_depth: int | None = None) -> list[str]:
    """Names of all regular files under `root`, relative to it, sorted, without hidden ones.

    Linked folders are followed, each once: a link may lead back.
    """
    found: list[str] = []
    seen = set()
    waiting = [("", 0)]
    while waiting:
        folder, depth = waiting.pop()
        try:
            status = os.stat(root / folder)
            entries = list(os.scandir(root / folder))
        except OSError:
            continue  # of another user, or a link to nowhere: nothing of it can be read anyway
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        for entry in entries:
            if entry.name.startswith(".") or entry.name == "__MACOSX":
                continue
            name = f"{folder}/{entry.name}" if folder else entry.name
            try:
                is_folder, is_file = entry.is_dir(), entry.is_file()
            except OSError:
                continue  # a link to itself
            if is_file:  # no pipe or device: reading it might never end
                found.append(name)
            elif is_folder and (max_depth is None or depth < max_depth):
                waiting.append((name, depth + 1))
    return sorted(found)


def _has_images(folder: Path) -> bool:
    return any(map(is_image, list_files(folder, max_depth=_DEPTH_ABOVE)))


def _sounds_of_labels(name: str) -> bool:
    return any(word in name.lower() for word in ("label", "anno", "xml", "json", "txt"))


def _common_end(a: list[str], b: list[str]) -> tuple[int, bool]:
    """How many last parts two paths share, letter case aside, and whether it fits as well."""
    count = 0
    for x, y in zip(reversed(a), reversed(b), strict=False):
        if x.lower() != y.lower():
            break
        count += 1
    return count, a[-count:] == b[-count:]


def _nearness(image: str, label: str) -> tuple[int, int, str]:
    """Larger is nearer: folders in common, such as train, then a folder that sounds of images."""
    folders = folder_of(image).split("/")
    return (
        len(set(folders) & set(folder_of(label).split("/"))),
        _sounds_of_images(folders),
        image,
    )


def _sounds_of_images(folders: Iterable[str]) -> int:
    name = "/".join(folders).lower()
    if any(word in name for word in _IMAGE_WORDS):
        return 2
    return 0 if any(word in name for word in _LABEL_WORDS) else 1
