"""What the image files themselves say: are they there, whole, and of which size?"""

import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from vitdet.datasets.generated import map_on_all_cores
from vitdet.datasets.untrusted_images import BrokenImageError, open_image

_ORIENTATION = 0x0112  # EXIF tag
_USUAL_MODES = {"RGB", "L", "P", "1"}


@dataclass(frozen=True)
class ImageFile:
    """One file.

    Attributes:
        problem: why it cannot be read; empty if it can.
        is_truncated: whether the problem is that its end is missing.
        size: width and height in the file, before it is turned as its EXIF tag says.
        orientation: that tag's value, 1 to 8; from 5 on the image is turned by 90 degrees.
        mode: Pillow's name of its pixels' kind.
        digest: of the file's bytes; None where no other file has its length.
    """

    problem: str = ""
    is_truncated: bool = False
    size: tuple[int, int] | None = None
    orientation: int = 1
    mode: str = "RGB"
    digest: bytes | None = None

    @property
    def is_turned(self) -> bool:
        return self.orientation >= 5

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height as a training reads it."""
        width, height = self.size
        return (height, width) if self.is_turned else (width, height)

    @property
    def is_unusual(self) -> bool:
        return self.mode not in _USUAL_MODES


def list_folders(folders: Iterable[str]) -> dict[str, dict[str, int]]:
    """Length of every file by name, by folder. Each folder is read once: the disk may be slow."""
    listings: dict[str, dict[str, int]] = {}
    for folder in dict.fromkeys(folders):
        files = {}
        if os.path.isdir(folder):
            with os.scandir(folder) as entries:
                lengths = {entry.name: _length(entry) for entry in entries}
            files = {name: length for name, length in lengths.items() if length is not None}
        listings[folder] = files
    return listings


def _length(entry: os.DirEntry) -> int | None:
    """None of what is no regular file, or a link in a circle."""
    try:
        return entry.stat().st_size if entry.is_file() else None
    except OSError:
        return None


def read_image_files(
    paths: Sequence[str], lengths: Mapping[str, int], *, is_whole: bool
) -> dict[str, ImageFile]:
    """Open all files on all cores, with a progress bar on a terminal.

    Args:
        paths: of files that are there.
        lengths: of each file in bytes; those of one length are compared by their content.
        is_whole: read the pixels too, and compare; else only each file's head.
    """
    same = Counter(lengths[path] for path in paths)
    read = partial(_read, is_whole)
    tasks = [(path, is_whole and same[lengths[path]] > 1) for path in paths]
    files = map_on_all_cores(read, tasks, title="opening images")
    return dict(zip(paths, files, strict=True))


def _read(is_whole: bool, task: tuple[str, bool]) -> ImageFile:
    path, needs_digest = task
    digest = None
    try:
        if needs_digest:
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "blake2b").digest()
        with warnings.catch_warnings(), open_image(path) as image:
            warnings.simplefilter("ignore")  # of Pillow on odd metadata
            size, mode = image.size, image.mode
            orientation = image.getexif().get(_ORIENTATION, 1)
            if is_whole:
                image.draft("L", (1, 1))  # JPEG is then decoded at an eighth, all of it
                image.load()
    except BrokenImageError as error:
        return ImageFile(str(error), error.is_truncated, digest=digest)
    except OSError as error:
        return ImageFile(f"cannot be read ({error.strerror})")
    is_known = isinstance(orientation, int) and 1 <= orientation <= 8
    return ImageFile("", False, size, orientation if is_known else 1, mode, digest)
