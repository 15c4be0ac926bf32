"""A data folder of any known format, written anew in COCO's."""

import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vitdet.datasets.coco_files import some
from vitdet.datasets.formats.data_folder import CocoSplit, DataFolder
from vitdet.datasets.formats.file_names import leads_outside
from vitdet.datasets.formats.recognise import read_folder
from vitdet.errors import UserError


@dataclass
class Conversion:
    """What was written: `files` maps each json to its numbers of images and annotations."""

    source: DataFolder
    files: dict[Path, tuple[int, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{self.source.root} is in {self.source.format} format"]
        for path, (images, annotations) in self.files.items():
            lines.append(f"  wrote {path}: {images} images, {annotations} annotations")
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def convert(source: str | Path, target: str | Path, *, copy_images: bool = False) -> Conversion:
    """Write `target/{train,val,test}.json` and `target/images/{train,val,test}/`.

    Images are hard links, or copies where `copy_images` says so or the disk has no links. Data
    without splits become `train`. Entries stay as they are, faults included, but for what a json
    file of COCO cannot hold: images with a `problem`, and numbers that are not finite.

    Raises UserError if `source` cannot be read, if `target` holds anything, or lies within
    `source`.
    """
    source, target = Path(source), Path(target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target} is there already: give a new folder, or an empty one")
    folder = read_folder(source)
    if folder.root.resolve() in (target.resolve(), *target.resolve().parents):
        raise UserError(f"{target} lies in {folder.root}, which is read: give a folder outside")
    conversion = Conversion(folder, notes=list(folder.notes))
    for split in folder.splits.values():
        _check_names(split)
    for split in folder.splits.values():
        name = "train" if split.name == "all" else split.name
        coco = _readable(split, conversion.notes)
        _place_images(split, coco, target / "images" / name, conversion.notes, copy=copy_images)
        if folder.format != "COCO":  # label files stay behind
            for entry in coco["images"]:
                entry.pop("label_file", None)
        path = target / f"{name}.json"
        path.write_text(_as_json(coco, f"{name}.json", conversion.notes))
        conversion.files[path] = (len(coco["images"]), len(coco["annotations"]))
    return conversion


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


def _check_names(split: CocoSplit) -> None:
    """Raises UserError if a file name would lead out of the folder that is written."""
    for entry in split.coco["images"]:
        name = entry.get("file_name")
        if not isinstance(name, str) or not name or leads_outside(name):
            raise UserError(
                f"{split.source} has an image with file_name {name!r}: name images relative to a "
                "folder that holds them all"
            )


def _place_images(
    split: CocoSplit, coco: Mapping[str, Any], target: Path, notes: list[str], *, copy: bool
) -> None:
    """Link or copy the images to `target`, under the names that they have."""
    target.mkdir(parents=True)
    missing = []
    for name in dict.fromkeys(entry["file_name"] for entry in coco["images"]):
        source, place = (split.image_root / name).resolve(), target / name
        if not source.is_file():
            missing.append(name)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(source, place, copy=copy)
    if missing:
        notes.append(f"{len(missing)} images of {split.name} are missing: {some(missing, limit=3)}")


def link_or_copy(source: Path, place: Path, *, copy: bool = False) -> None:
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
