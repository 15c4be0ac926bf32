"""Images and their label files in folders: `images/{train,val}` and `masks/{train,val}`."""

import logging
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.logging import print_log
from mmseg.datasets import BaseSegDataset

from vitdet.datasets.coco_files import listing, some
from vitdet.datasets.formats.folder_tree import list_files
from vitdet.datasets.label_table import (
    CLASSES_FILE,
    LabelTable,
    numbered_table,
    read_label_table,
)
from vitdet.errors import UserError
from vitdet.registry import DATASETS

_TRAIN_NAMES = ("train", "training")
_VAL_NAMES = ("val", "valid", "validation")
# Where the images and the label files of a split lie; {} is the split's name.
_LAYOUTS = tuple(
    (images, labels)
    for images, several in (
        ("images/{}", ("masks/{}", "annotations/{}", "labels/{}")),
        ("img_dir/{}", ("ann_dir/{}",)),
        ("{}/images", ("{}/masks", "{}/annotations", "{}/labels")),
        ("{}", ("{}annot",)),
    )
    for labels in several
)
_UNSPLIT = (("images", "masks"), ("images", "annotations"), ("images", "labels"))
_IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"}
_LABEL_SUFFIXES = {".png", ".bmp", ".tif", ".tiff"}
_SEPARATORS = "_-."


@dataclass(frozen=True)
class SemanticSplits:
    """Folders of images and of label files, relative to the root; without a val split, val is
    train."""

    train: tuple[str, str]
    val: tuple[str, str]


def find_semantic(root: str | Path) -> SemanticSplits:
    """Find the folders of images and label files under `root`.

    Known are `images/{train,val}` with `masks`, `annotations` or `labels` of the same form, also
    the other way round (`train/images`), ADE20K's names `training` and `validation`, CamVid's
    `train` with `trainannot`, and `images` with `masks` alone, which is then both splits.

    Raises UserError if there is no such pair of folders.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"data folder not found: {root}")
    train = _find_split(root, _TRAIN_NAMES, _LAYOUTS) or _find_split(root, ("",), _UNSPLIT)
    if train is None:
        raise UserError(
            f"no images with masks in {root}: looked for images/train with masks/train, "
            f"annotations/training, train/images with train/masks, train with trainannot, images "
            f"with masks; found {listing(root)}"
        )
    val = _find_split(root, _VAL_NAMES, _LAYOUTS)
    if val is None:
        print_log(
            f"{root} has no val split beside {train[0]}: the training images are evaluated on, "
            "which tells nothing about new images",
            logger="current",
            level=logging.WARNING,
        )
    return SemanticSplits(train, val or train)


def _find_split(
    root: Path, names: Sequence[str], layouts: Sequence[tuple[str, str]]
) -> tuple[str, str] | None:
    pairs = [tuple(p.format(name) for p in layout) for layout in layouts for name in names]
    return next((pair for pair in pairs if all((root / p).is_dir() for p in pair)), None)


@DATASETS.register_module()
class SemanticFolder(BaseSegDataset):
    """Images of one folder and their label files of another, paired by name.

    `data_prefix` has `img_path` and `seg_map_path`, relative to `data_root`, whose `classes.txt`
    says what the values in the label files mean (see `read_label_table`). Where there is none,
    label i is the value i and `metainfo["classes"]` its name. A label file is named like its image;
    what it has more, such as `_mask`, has to be the same in all of them. The other arguments are
    those of mmengine's `BaseDataset`.

    Each item of the list is the dict mmseg's transforms expect, and its `label_table` is what
    `LoadLabels` goes by.
    """

    METAINFO: dict = {}

    def __init__(
        self,
        data_root: str,
        data_prefix: dict[str, str],
        *,
        metainfo: dict[str, Any] | None = None,
        pipeline: Sequence[dict[str, Any] | Callable] = (),
        indices: int | Sequence[int] | None = None,
        test_mode: bool = False,
        lazy_init: bool = False,
    ) -> None:
        metainfo = dict(metainfo or {})
        self.table = read_table(data_root, metainfo.get("classes"))
        metainfo["classes"] = self.table.classes
        if "palette" not in metainfo and self.table.palette:
            metainfo["palette"] = self.table.palette
        super().__init__(
            metainfo=metainfo,
            data_root=data_root,
            data_prefix=data_prefix,
            indices=indices,
            pipeline=list(pipeline),
            test_mode=test_mode,
            lazy_init=lazy_init,
        )

    def load_data_list(self) -> list[dict[str, Any]]:
        """List the pairs. Raises what `pair_files` does."""
        pairs = pair_files(self.data_prefix["img_path"], self.data_prefix["seg_map_path"])
        return [
            {
                "img_path": str(image),
                "seg_map_path": str(labels),
                "label_map": None,
                "reduce_zero_label": False,
                "seg_fields": [],
            }
            for image, labels in pairs
        ]

    def get_data_info(self, idx: int) -> dict[str, Any]:
        return {**super().get_data_info(idx), "label_table": self.table}


def read_table(root: str | Path, classes: Sequence[str] | None) -> LabelTable:
    """Table of a folder by its `classes.txt`, or else of `classes`, numbered from 0.

    Raises UserError if there is neither, if both are there and differ, or as `read_label_table`.
    """
    path = Path(root) / CLASSES_FILE
    if not path.is_file():
        if classes is None:
            raise UserError(f"{path} is missing, and the config names no classes")
        return numbered_table(classes)
    table = read_label_table(path)
    if classes is not None and tuple(classes) != table.classes:
        raise UserError(
            f"{path} names {len(table.classes)} classes ({some(table.classes, limit=3)}), the "
            f"config {len(classes)} ({some(classes, limit=3)}): leave metainfo.classes out of the "
            "config, or mend the file"
        )
    return table


def pair_files(images: str | Path, labels: str | Path) -> list[tuple[Path, Path]]:
    """Each image with its label file, ordered by name; subfolders count as part of the name.

    Raises UserError if there are no images, if one has no label file or several, or two images
    differ in their ending only.
    """
    images, labels = Path(images), Path(labels)
    image_of: dict[str, Path] = {}
    for path in _files(images, _IMAGE_SUFFIXES):
        other = image_of.setdefault(_stem(path, images), path)
        if other != path:
            raise UserError(f"{other} and {path.name} are one image by their names: remove one")
    if not image_of:
        raise UserError(f"no images in {images}: it has {_content(images)}")
    found: dict[str, dict[str, Path]] = defaultdict(dict)  # of each image, by what follows its name
    for path in _files(labels, _LABEL_SUFFIXES):
        stem = _stem(path, labels)
        name = next((start for start in _beginnings(stem) if start in image_of), None)
        if name is not None:
            found[name][stem.removeprefix(name)] = path
    endings = Counter("" if "" in one else ending for one in found.values() for ending in one)
    if len(endings) > 1:
        (usual, _), *_ = endings.most_common(1)
        # The odd one, if only some are: it lacks the usual ending, or has another beside it.
        name = min(found, key=lambda name: (usual in found[name], -len(found[name])))
        files = some(sorted(path.name for path in found[name].values()))
        raise UserError(
            f"which label file belongs to {image_of[name]}? There is {files}, and the names of "
            f"label files end in {some(map(repr, endings))}: leave one kind there"
        )
    missing = [path for name, path in image_of.items() if name not in found]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(image_of)} images in {images} have no label file (PNG) in "
            f"{labels}: {some((path.name for path in missing), limit=3)}; there is "
            f"{_content(labels)}. Add the label files, or take these images away"
        )
    (ending,) = endings
    return [(path, found[name][ending]) for name, path in sorted(image_of.items())]


def _beginnings(stem: str) -> list[str]:
    """What may be the name of the image: all of `stem`, then less and less of it."""
    cuts = [place for place, letter in enumerate(stem) if letter in _SEPARATORS]
    return [stem, *(stem[:place] for place in reversed(cuts))]


def _files(folder: Path, suffixes: set[str]) -> list[Path]:
    names = list_files(folder)  # which follows links, but none in a circle
    return [folder / name for name in names if os.path.splitext(name)[1].lower() in suffixes]


def _stem(path: Path, root: Path) -> str:
    return path.relative_to(root).with_suffix("").as_posix()


def _content(folder: Path) -> str:
    return listing(folder) if folder.is_dir() else "not even the folder"
