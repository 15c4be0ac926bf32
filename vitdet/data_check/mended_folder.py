"""A data set written as a folder in COCO format."""

import json
from pathlib import Path
from typing import Any

from vitdet.datasets.formats.convert import link_or_copy
from vitdet.datasets.formats.data_folder import CocoSplit, DataFolder
from vitdet.errors import UserError


def write_mended(folder: DataFolder, target: str | Path) -> list[Path]:
    """Write `SPLIT.json` for each split, and its images under `images/SPLIT/`.

    Data without splits become `train`; images are hard links where the disk has them, else
    copies. Returns the annotation files.

    Raises UserError as `refuse_target` does.
    """
    target = Path(target)
    refuse_target(folder, target)
    written = []
    for split in folder.splits.values():
        name = "train" if split.name == "all" else split.name
        for image in split.coco["images"]:
            place = target / "images" / name / image["file_name"]
            source = split.image_root / image["file_name"]
            if source.is_file():
                place.parent.mkdir(parents=True, exist_ok=True)
                link_or_copy(source.resolve(), place)
        ann_file = target / f"{name}.json"
        ann_file.write_text(json.dumps(_content(split)))
        written.append(ann_file)
    return written


def refuse_target(folder: DataFolder, target: str | Path) -> None:
    """Raise UserError if `target` holds anything, or lies in the data folder."""
    target = Path(target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target} exists: name a new folder, or one that is empty")
    if target.resolve().is_relative_to(folder.root.resolve()):
        raise UserError(f"{target} is in the data folder {folder.root}: name one outside of it")


def _content(split: CocoSplit) -> dict[str, Any]:
    """Without the names of the label files: there are none beside the copy."""
    images = [
        {key: value for key, value in image.items() if key != "label_file"}
        for image in split.coco["images"]
    ]
    return {**split.coco, "images": images}
