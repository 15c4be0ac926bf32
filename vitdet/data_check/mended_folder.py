"""A data set written as a folder in COCO format."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from vitdet.datasets.formats.data_folder import CocoSplit, DataFolder
from vitdet.errors import UserError

_FILES = {"all": "instances.json"}  # of data that are not split; else the split's name


def write_mended(folder: DataFolder, target: str | Path) -> list[Path]:
    """Write `SPLIT.json` for each split, and its images under `images/SPLIT/`.

    Images are hard links where the disk has them, else copies. Returns the annotation files.

    Raises UserError as `refuse_target` does.
    """
    target = Path(target)
    refuse_target(folder, target)
    written = []
    for name, split in folder.splits.items():
        for image in split.coco["images"]:
            _place(split.image_root / image["file_name"], target / "images" / name, image)
        ann_file = target / _FILES.get(name, f"{name}.json")
        ann_file.parent.mkdir(parents=True, exist_ok=True)
        ann_file.write_text(json.dumps(_content(split)), encoding="utf-8")
        written.append(ann_file)
    return written


def refuse_target(folder: DataFolder, target: str | Path) -> None:
    """Raise UserError if `target` holds anything, or lies in the data folder."""
    target = Path(target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target} exists: name a new folder, or one that is empty")
    if target.resolve().is_relative_to(folder.root.resolve()):
        raise UserError(f"{target} is in the data folder {folder.root}: name one outside of it")


def _place(source: Path, folder: Path, image: dict[str, Any]) -> None:
    place = folder / image["file_name"]
    if place.exists() or not source.is_file():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), place)
    except OSError:
        shutil.copy2(source, place)


def _content(split: CocoSplit) -> dict[str, Any]:
    """Without the names of the label files: there are none beside the copy."""
    images = [
        {key: value for key, value in image.items() if key != "label_file"}
        for image in split.coco["images"]
    ]
    return {**split.coco, "images": images}
