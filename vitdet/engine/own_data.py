"""One's own annotated images, in any common format, as COCO files that a run can train on."""

import hashlib
import json
import logging
from dataclasses import dataclass, replace
from pathlib import Path

from mmengine.logging import print_log

from vitdet.data_check import check_brief
from vitdet.datasets.formats.data_folder import CocoSplit, DataFolder
from vitdet.datasets.formats.recognise import read_folder
from vitdet.datasets.identical_files import groups_of_identical
from vitdet.datasets.split import split_images
from vitdet.engine.cache import cache_folder, write_whole
from vitdet.engine.data_findings import keep_findings, tell_findings
from vitdet.errors import UserError

_VAL_SHARE = 0.2


@dataclass(frozen=True)
class OwnData:
    """Annotation files in COCO's format, the folders their file names are relative to, and whether
    any object to train on has a mask."""

    train_ann_file: Path
    train_images: Path
    val_ann_file: Path
    val_images: Path
    has_masks: bool


def own_data(folder: str | Path) -> OwnData:
    """Read a folder, or an annotation file, and find or make the files of both splits.

    COCO's files that are split already, and sound, are taken as they are. Others are written, under
    a name that follows from their content, into a cache (`$VITDET_CACHE`, else `~/.cache/vitdet`);
    the folder itself is not touched. Of a set that is not split a fifth of the images evaluates,
    always the same for the same labels.

    What would spoil a training is mended, as `vitdet check-data --fix` does, and said.

    Raises:
        UserError: see `read_folder` and `check_brief`; or there is nothing to train on.
    """
    folder = read_folder(folder)
    for note in folder.notes:
        print_log(f"{folder.root}: {note}", logger="current", level=logging.WARNING)
    data, check = check_brief(folder)
    done = "trained on as they are" if data is folder else "mended for this run, there unchanged"
    tell_findings(check, done=done)
    train, val = _train_and_val(data)
    is_ready = data is folder and data.format == "COCO" and len(data.splits) > 1
    files = (train.source, val.source) if is_ready else _written(data.root, train, val)
    keep_findings(files[0], check, done=done)
    print_log(
        f"{data.root} holds {data.format} labels: {len(train.coco['images'])} images to train on, "
        f"{len(val.coco['images'])} to evaluate on",
        logger="current",
    )
    has_masks = any(ann.get("segmentation") for ann in train.coco["annotations"])
    return OwnData(files[0], train.image_root, files[1], val.image_root, has_masks)


def _train_and_val(data: DataFolder) -> tuple[CocoSplit, CocoSplit]:
    train = data.splits.get("train") or data.splits.get("all")
    if train is None:
        raise UserError(
            f"{data.root} has no images to train on, only those of {' and '.join(data.splits)}"
        )
    val = data.splits.get("val") or data.splits.get("test")
    return (train, val) if val is not None else _divided(data.root, train)


def _divided(root: Path, whole: CocoSplit) -> tuple[CocoSplit, CocoSplit]:
    """A training and a validation split of whole images, by class."""
    images = sorted(whole.coco["images"], key=lambda image: str(image["file_name"]))
    if len(images) < 2:
        print_log(
            f"{root} has one image only, which is evaluated on too: that tells nothing of others",
            logger="current",
            level=logging.WARNING,
        )
        return whole, whole
    labels = {image["id"]: [] for image in images}
    for ann in whole.coco["annotations"]:
        if ann["image_id"] in labels:
            labels[ann["image_id"]].append(ann["category_id"])
    # A picture that is there twice, on both sides, would be evaluated on what was learnt by heart.
    copies = groups_of_identical([whole.image_root / image["file_name"] for image in images])
    chosen = split_images(list(labels.values()), groups=copies, val_share=_VAL_SHARE)
    print_log(
        f"{root} is not split: {len(chosen[1])} of {len(images)} images are held out to evaluate "
        "on, with each class in proportion",
        logger="current",
    )
    splits = []
    for name, numbers in zip(("train", "val"), chosen, strict=True):
        ids = {images[k]["id"] for k in numbers}
        coco = dict(
            whole.coco,
            images=[image for image in whole.coco["images"] if image["id"] in ids],
            annotations=[ann for ann in whole.coco["annotations"] if ann["image_id"] in ids],
        )
        splits.append(replace(whole, name=name, coco=coco))
    return splits[0], splits[1]


def _written(root: Path, *splits: CocoSplit) -> list[Path]:
    """The splits' annotation files in the cache; each appears there whole or not at all."""
    files = []
    for split in splits:
        content = json.dumps(split.coco).encode()
        digest = hashlib.sha256(content).hexdigest()[:12]
        file = cache_folder() / f"{root.resolve().name}-{split.name}-{digest}.json"
        write_whole(file, content)
        files.append(file)
    return files
