"""The one form that annotations of every format are read into: COCO's dicts, split by split."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class CocoSplit:
    """One split: `coco` holds the lists `images`, `annotations` and `categories`.

    Boxes and polygons are in pixels of the image, as COCO has them, whatever the format says, and
    as they stand there: nothing is clipped or left out because it looks wrong. A `file_name` is
    relative to `image_root`. An image's entry has `label_file`, relative to the data folder, where
    the format has one for each image or several files for many: messages name it, else `source`.
    In a folder of such a format, an image without `label_file` is one that nobody labelled.

    An image whose labels cannot be read has the reason, one line, in its entry's `problem`, and no
    annotations; its width and height are 0 if nothing tells them. It is no image without objects:
    nothing may be trained on it.
    """

    name: str  # "train", "val" or "test"; "all" where the data are not split
    coco: dict[str, Any]
    image_root: Path
    source: Path


@dataclass
class DataFolder:
    """All splits of a folder; `notes` says what in its files COCO's form cannot hold."""

    root: Path
    format: str  # "COCO", "Pascal VOC", "YOLO", "LabelMe", "VIA" or "CVAT"
    splits: dict[str, CocoSplit]
    notes: list[str] = field(default_factory=list)
