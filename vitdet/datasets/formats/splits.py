"""The split that a file belongs to: by the folders it lies in, or by a list of the user's."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from vitdet.datasets.coco_files import some
from vitdet.datasets.formats.data_folder import CocoSplit, DataFolder
from vitdet.datasets.formats.file_names import folder_of, path_parts, stem_of
from vitdet.datasets.formats.untrusted_files import read_lines
from vitdet.errors import UserError

_SPLIT_WORD = re.compile(r"(train|val|test)(?:ing|id|idation)?[-_]?\d*", re.IGNORECASE)


def split_of_path(name: str) -> str | None:
    """The split that a folder of the path is named for, the innermost: `images/val2017/1.jpg`."""
    for folder in reversed(folder_of(name).split("/")):
        split = split_of_word(folder)
        if split:
            return split
    return None


def split_of_word(word: str) -> str | None:
    """`train`, `val` or `test` if a word means that, as `training` or `val2017`."""
    match = _SPLIT_WORD.fullmatch(word)
    return match[1].lower() if match else None


def split_by_list(folder: DataFolder, split_file: Path) -> DataFolder:
    """Split images into `val`, those that the text file names one a line, and `train`, the others.

    A line is a file name, with or without folder and ending. The folder must have one split.

    Raises UserError if it has several, or if a line names no image or several.
    """
    if len(folder.splits) != 1:
        raise UserError(f"{folder.root} is split already: leave {split_file} out")
    (whole,) = folder.splits.values()
    chosen = _images_named(whole.coco["images"], split_file)
    parts: dict[str, dict[str, Any]] = {}
    for name in ("train", "val"):
        images = [e for e in whole.coco["images"] if (e["id"] in chosen) == (name == "val")]
        ids = {entry["id"] for entry in images}
        annotations = [a for a in whole.coco["annotations"] if a.get("image_id") in ids]
        parts[name] = {**whole.coco, "images": images, "annotations": annotations}
    folder.splits = {
        name: CocoSplit(name, coco, whole.image_root, whole.source) for name, coco in parts.items()
    }
    return folder


def _images_named(images: list[dict[str, Any]], split_file: Path) -> set[Any]:
    """Ids of the images that the file names."""
    ids: dict[str, Any] = {}
    counts: Counter[str] = Counter()
    for entry in images:
        name = str(entry.get("file_name"))
        for key in {name, name.rpartition("/")[2], stem_of(name)}:
            ids[key] = entry["id"]
            counts[key] += 1
    lines = [line.strip() for line in read_lines(split_file) if line.strip()]
    keys = [line if line in ids else "/".join(path_parts(line)[-1:]) for line in lines]
    wrong = [line for line, key in zip(lines, keys, strict=True) if counts[key] != 1]
    if wrong:
        raise UserError(f"{split_file} names no image, or several, of the data: {some(wrong)}")
    return {ids[key] for key in keys}
