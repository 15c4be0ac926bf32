"""COCO's panoptic format: a json that lists segments, and PNGs that say which pixel is whose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from vitdet.datasets.coco_files import (
    VAL_NAMES,
    check_categories,
    class_ids,
    find_images,
    find_split,
    listing,
    read_coco,
    some,
    warn_of_no_val,
)
from vitdet.datasets.entry_values import IMAGE_VALUES, check_values, is_id, is_name
from vitdet.datasets.images import read_image
from vitdet.errors import UserError

VOID = 0  # the segment id of pixels that belong to none
_PATTERNS = (
    "annotations/panoptic_{}.json",
    "annotations/panoptic_{}*.json",
    "panoptic/panoptic_{}*.json",
    "panoptic_{}*.json",
)
_ANNOTATION_VALUES = {
    "image_id": (is_id, "a number"),
    "file_name": (is_name, "a file name"),
    "segments_info": (
        lambda value: isinstance(value, list) and all(isinstance(one, dict) for one in value),
        "a list of segments",
    ),
}


@dataclass(frozen=True)
class PanopticSplit:
    """Where the parts of a split lie."""

    ann_file: Path
    segments: Path
    images: Path


class PanopticClasses(NamedTuple):
    """Category id of each class by name, in the order of the labels: things, then stuff."""

    ids: dict[str, int]
    num_things: int

    @property
    def things(self) -> tuple[str, ...]:
        return tuple(self.ids)[: self.num_things]

    @property
    def stuff(self) -> tuple[str, ...]:
        return tuple(self.ids)[self.num_things :]


def find_panoptic(root: str | Path) -> tuple[PanopticSplit, PanopticSplit]:
    """Find the train and val split under `root`; where there is no val, it is train.

    Known are COCO's `annotations/panoptic_{train,val}*.json`, and the same in `panoptic/` or in
    `root` itself. The PNGs lie in a folder of the json's name beside it, images where COCO has
    them.

    Raises UserError if there are no annotations, or none of their images or PNGs is found.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"data folder not found: {root}")
    ann_file = find_split(root, ("train",), _PATTERNS)
    if ann_file is None:
        raise UserError(
            f"no panoptic annotations in {root}: looked for annotations/panoptic_train*.json, "
            f"panoptic/panoptic_train*.json; found {listing(root)}"
        )
    train = _split_of(root, ann_file, ("train",))
    val_file = find_split(root, VAL_NAMES, _PATTERNS)
    if val_file is None:
        warn_of_no_val(root, ann_file)
        return train, train
    return train, _split_of(root, val_file, VAL_NAMES)


def _split_of(root: Path, ann_file: Path, names: Sequence[str]) -> PanopticSplit:
    segments = ann_file.with_suffix("")
    if not segments.is_dir():
        raise UserError(f"the PNGs of {ann_file} are not there: no folder {segments}")
    file_names = [image["file_name"] for image in read_panoptic(ann_file)["images"][:50]]
    return PanopticSplit(
        ann_file, segments, find_images(root, ann_file, names, file_names=file_names)
    )


def read_panoptic(ann_file: str | Path) -> dict[str, Any]:
    """Read a panoptic annotation file. Raises what `read_coco` does, and UserError if it is of
    another kind: without `segments_info`, or categories that do not say whether they are things.
    """
    content = read_coco(ann_file)
    parts = (
        ("categories", ("id", "name", "isthing")),
        ("images", ("id", "file_name", "height", "width")),
        ("annotations", ("image_id", "file_name", "segments_info")),
    )
    for kind, keys in parts:
        for number, entry in enumerate(content[kind]):
            if not isinstance(entry, dict):
                raise UserError(f"{ann_file}: number {number} of its {kind} is no object")
            missing = [key for key in keys if key not in entry]
            if missing:
                raise UserError(
                    f"{ann_file} is not a panoptic annotation file: number {number} of its {kind} "
                    f"lacks {some(missing)}"
                )
    check_values(ann_file, "image", content["images"], IMAGE_VALUES)
    check_values(ann_file, "annotation", content["annotations"], _ANNOTATION_VALUES)
    return content


def panoptic_classes(
    content: Mapping[str, Any],
    *,
    classes: Sequence[str] | None = None,
    source: str | Path = "the ground truth",
) -> PanopticClasses:
    """The classes of a panoptic annotation file: `classes`, or else all, each kind ordered by id.

    Raises UserError as `class_ids` does, and if `classes` has stuff before a thing.
    """
    check_categories(content["categories"], source)
    is_thing = {c["name"]: bool(c["isthing"]) for c in content["categories"]}
    if classes is None:
        ordered = sorted(content["categories"], key=lambda c: (not c["isthing"], c["id"]))
        classes = [category["name"] for category in ordered]
    ids = class_ids(content, classes=classes, source=source)
    kinds = [is_thing[name] for name in ids]
    num_things = sum(kinds)
    if not all(kinds[:num_things]):
        raise UserError(
            f"classes: {list(ids)[kinds.index(False)]!r} is stuff in {source} and stands before "
            "things; name the things first"
        )
    return PanopticClasses(ids, num_things)


def read_segment_ids(path: str | Path) -> np.ndarray:
    """Read the segment id of each pixel of a PNG, (H, W) int32: red + 256 green + 65536 blue.

    Raises UserError if the file is missing or no image.
    """
    red, green, blue = (channel.astype(np.int32) for channel in cv2.split(read_image(path)))
    return red | green << 8 | blue << 16


def write_segment_ids(path: str | Path, ids: np.ndarray) -> None:
    """Write ids: (H, W), 0 to 2^24 - 1, as a PNG that `read_segment_ids` reads."""
    blue, green, red = ((ids >> shift & 255).astype(np.uint8) for shift in (16, 8, 0))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    encoded = cv2.imencode(".png", cv2.merge([blue, green, red]))[1]
    Path(path).write_bytes(encoded.tobytes())
