"""A data folder of any known format, written as a folder in COCO's."""

import json
import math
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.progress import track

from vitdet.datasets.coco_files import some
from vitdet.datasets.formats.data_folder import CocoSplit, DataFolder
from vitdet.datasets.formats.file_names import leads_outside
from vitdet.errors import UserError


@dataclass
class CocoFolder:
    """What was written: `files` maps each json to its numbers of images and annotations, `notes`
    says what was not."""

    files: dict[Path, tuple[int, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [
            f"  wrote {path}: {images} images, {annotations} annotations"
            for path, (images, annotations) in self.files.items()
        ]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def write_coco_folder(
    folder: DataFolder, target: str | Path, *, copy_images: bool = False
) -> CocoFolder:
    """Write `target/{train,val,test}.json` and `target/images/{train,val,test}/`.

    Images are hard links, or copies where `copy_images` says so or the disk has no links. Data
    without splits become `train`. Entries stay as they are, faults included, but for what a json
    file of COCO cannot hold: images with a `problem`, and numbers that are not finite.

    Raises UserError as `refuse_target` does, or if a file name leads out of the folder.
    """
    target = Path(target)
    refuse_target(folder, target)
    for split in folder.splits.values():
        _check_names(split)
    written = CocoFolder()
    for split in folder.splits.values():
        name = "train" if split.name == "all" else split.name
        coco = _readable(split, written.notes)
        _place_images(split, coco, target / "images" / name, written.notes, copy=copy_images)
        if folder.format != "COCO":  # label files stay behind
            for entry in coco["images"]:
                entry.pop("label_file", None)
        path = target / f"{name}.json"
        path.write_text(_as_json(coco, f"{name}.json", written.notes))
        written.files[path] = (len(coco["images"]), len(coco["annotations"]))
    return written


def refuse_target(folder: DataFolder, target: str | Path) -> None:
    """Raise UserError if `target` holds anything, or lies in the data folder."""
    target = Path(target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target} is there already: name a new folder, or an empty one")
    if target.resolve().is_relative_to(folder.root.resolve()):
        raise UserError(f"{target} lies in the data folder {folder.root}: name one outside of it")


def _check_names(split: CocoSplit) -> None:
    """Raises UserError if a file name would lead out of the folder that is written."""
    for entry in split.coco["images"]:
        name = entry.get("file_name")
        if not isinstance(name, str) or not name or leads_outside(name):
            raise UserError(
                f"{split.source} has an image with file_name {name!r}: name images relative to a "
                "folder that holds them all"
            )


def _readable(split: CocoSplit, notes: list[str]) -> dict[str, Any]:
    """The split's dicts, copied, without the images whose labels could not be read."""
    images = [dict(entry) for entry in split.coco["images"] if "problem" not in entry]
    broken = [entry for entry in split.coco["images"] if "problem" in entry]
    if broken:
        first = broken[0]
        where = first.get("label_file") or first.get("file_name")
        notes.append(
            f"{len(broken)} images left out, whose labels cannot be read: {where} "
            f"{first['problem']}" + (" and others" if len(broken) > 1 else "")
        )
    return {**split.coco, "images": images}


def _place_images(
    split: CocoSplit, coco: Mapping[str, Any], target: Path, notes: list[str], *, copy: bool
) -> None:
    """Link or copy the images to `target`, under the names that they have."""
    target.mkdir(parents=True)
    missing = []
    names = list(dict.fromkeys(entry["file_name"] for entry in coco["images"]))
    for name in track(names, f"images of {split.name}", disable=not sys.stdout.isatty()):
        source, place = (split.image_root / name).resolve(), target / name
        if not source.is_file():
            missing.append(name)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        _link_or_copy(source, place, copy=copy)
    if missing:
        notes.append(f"{len(missing)} images of {split.name} are missing: {some(missing, limit=3)}")


def _link_or_copy(source: Path, place: Path, *, copy: bool) -> None:
    """Let a file be at `place` too: as a hard link, or as a copy on disks that have no links."""
    if not copy:
        try:
            os.link(source, place)
            return
        except OSError:
            pass
    shutil.copyfile(source, place)


def _as_json(coco: dict[str, Any], name: str, notes: list[str]) -> str:
    """The text; JSON has no NaN and no infinity, so annotations with these are left out."""
    try:
        return json.dumps(coco, allow_nan=False)
    except ValueError:
        finite = [entry for entry in coco["annotations"] if all(map(math.isfinite, _floats(entry)))]
        count = len(coco["annotations"]) - len(finite)
        notes.append(f"{count} annotations left out of {name}: numbers that are not finite")
        coco = {**coco, "annotations": finite}
        return json.dumps(coco)


def _floats(value: Any) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    elif isinstance(value, list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _floats(part)
