"""File names with forward slashes, relative to a data folder, and what label files call them."""

import os
import re

from vitdet.datasets.images import IMAGE_SUFFIXES


def is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def folder_of(name: str) -> str:
    """Folder of a name with forward slashes; that of the top is itself, ''."""
    return name.rpartition("/")[0]


def stem_of(name: str) -> str:
    """File name without folder and ending."""
    return os.path.splitext(name.rpartition("/")[2])[0]


def path_parts(text: str) -> list[str]:
    """The parts of a path as any system writes it, without drive, root, `.` and `..`."""
    parts = text.strip().replace("\\", "/").split("/")
    return [part for part in parts if part not in ("", ".", "..") and not part.endswith(":")]


def inside(text: str) -> str:
    """A path that stays within the folder it is joined to: `../images/1.jpg` is images/1.jpg."""
    return "/".join(path_parts(text))


def leads_outside(text: str) -> bool:
    """Whether a name in a label file is absolute, or climbs: meaningless on other computers."""
    text = text.strip().replace("\\", "/")
    return bool(re.match(r"/|[A-Za-z]:", text)) or ".." in text.split("/")
