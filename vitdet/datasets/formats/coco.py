"""COCO's json: one file, or one for each split."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vitdet.datasets.coco_files import (
    ANN_PATTERNS,
    UNSPLIT_PATTERNS,
    VAL_NAMES,
    find_images,
    find_split,
    read_coco,
    some,
)
from vitdet.datasets.formats.data_folder import CocoSplit, DataFolder
from vitdet.datasets.formats.folder_tree import FolderTree
from vitdet.datasets.formats.splits import split_of_path
from vitdet.datasets.formats.untrusted_files import mentions
from vitdet.errors import UserError

LOOKED_FOR = "COCO json (train.json, annotations/instances_train*.json, ...)"
_NAMES = {"train": ("train",), "val": VAL_NAMES, "test": ("test",)}


def evidence(tree: FolderTree) -> list[str]:
    """The json files with lists of images and of annotations, panoptic ones left out."""
    lists = [rb'"%s"\s*:\s*\[' % key for key in (b"images", b"annotations", b"categories")]
    found = [name for name in tree.samples(".json") if mentions(tree.root / name, *lists)]
    return [name for name in found if not mentions(tree.root / name, b'"segments_info"')]


def explain(tree: FolderTree) -> None:
    """Raise UserError, saying why, if a file that is named as annotations are is none."""
    if not tree.single:
        for path in _annotation_files(tree).values():
            read_coco(path)


def read(tree: FolderTree) -> DataFolder:
    """Read all splits, entries as they are.

    Raises UserError if a file is no COCO file, or if several are there for one split.
    """
    splits = {"all": tree.given} if tree.single else _annotation_files(tree)
    folder = DataFolder(tree.given.parent if tree.single else tree.given, "COCO", {})
    for split, path in splits.items():
        content = read_coco(path)
        for key in ("images", "annotations"):
            if not all(isinstance(entry, dict) for entry in content[key]):
                raise UserError(f"{path} is not a COCO annotation file: {key} wants objects")
        images = _image_root(folder.root, path, split, content["images"])
        if images is None:
            folder.notes.append(f"no image of {path.relative_to(folder.root)} was found")
        folder.splits[split] = CocoSplit(split, content, images or folder.root, path)
    return folder


def _annotation_files(tree: FolderTree) -> dict[str, Path]:
    """The file of each split: by the names that are usual, else by any name.

    Raises UserError where a split has several.
    """
    root = tree.given
    named = {split: find_split(root, names, ANN_PATTERNS) for split, names in _NAMES.items()}
    found = {split: path for split, path in named.items() if path is not None}
    if "train" not in found:
        path = find_split(root, ("",), UNSPLIT_PATTERNS)
        if path is not None and path not in found.values():
            found["train" if found else "all"] = path
    return found or _by_any_name(tree)


def _by_any_name(tree: FolderTree) -> dict[str, Path]:
    found: dict[str, list[str]] = {}
    for name in evidence(tree):
        inside = (tree.root / name).relative_to(tree.given).as_posix()
        # the words of the file's own name count as folders do
        split = split_of_path("/".join(re.split(r"[/_.\- ]", inside)))
        found.setdefault(split or "all", []).append(inside)
    if "all" in found and len(found) > 1:
        found.setdefault("train", []).extend(found.pop("all"))
    for split, names in found.items():
        if len(names) > 1:
            raise UserError(
                f"{tree.given} has several annotation files for the split {split!r} "
                f"({some(names)}): leave one there, or give the file that is meant"
            )
    return {split: tree.given / names[0] for split, names in found.items()}


def _image_root(
    root: Path, ann_file: Path, split: str, images: Sequence[dict[str, Any]]
) -> Path | None:
    """The folder that the file names are relative to, or None if no image is found in any."""
    names = [entry.get("file_name") for entry in images]
    names = [name for name in names if isinstance(name, str) and name][:50]
    if not names:
        return None
    bases = [root]
    if ann_file.parent == root:  # root may be annotations/, beside images/
        bases.append(root.absolute().parent)
    for base in bases:
        try:
            return find_images(base, ann_file, _NAMES.get(split, ("train",)), file_names=names)
        except (UserError, OSError, ValueError):
            continue
    return None
