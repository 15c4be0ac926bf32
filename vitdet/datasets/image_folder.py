"""Images sorted into folders by class, as ImageNet comes: `train/<class>/*.jpg`, `val/...`."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from torchvision.datasets.folder import find_classes, is_image_file

from vitdet.datasets.coco_files import some
from vitdet.errors import UserError
from vitdet.registry import DATASETS

_VAL_NAMES = ("val", "valid", "validation", "test")


@dataclass(frozen=True)
class FolderSplits:
    """Where the images of a data set lie; where there is no val split, val is train."""

    train: Path
    val: Path


def find_splits(root: str | Path) -> FolderSplits:
    """Find `train` and `val` under `root`; a folder of class folders alone is both.

    Raises UserError if there is no such folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"data folder not found: {root}")
    train = root / "train" if (root / "train").is_dir() else root
    val = next((root / name for name in _VAL_NAMES if (root / name).is_dir()), None)
    if train == root or val is None:
        print_log(
            f"{root} has no folders train and val: the training images are evaluated on, which "
            "tells nothing about new images",
            logger="current",
            level=logging.WARNING,
        )
        return FolderSplits(train, train)
    return FolderSplits(train, val)


@DATASETS.register_module()
class ImageFolder(BaseDataset):
    """Images whose class is the name of the folder they lie in, at any depth.

    Label i is class i of `metainfo["classes"]`; without these, all folders are classes, ordered by
    name. `data_root` joined with `data_prefix["img"]` is where the class folders are. Arguments are
    those of mmengine's `BaseDataset`.

    Each item of the list has `img_path`, `img_id` and `gt_label`.
    """

    METAINFO: dict = {}

    def load_data_list(self) -> list[dict[str, Any]]:
        """List the images. Raises UserError where folders and classes do not fit."""
        folder = Path(self.data_prefix["img"])
        classes = self._metainfo.get("classes") or list_classes(folder)
        self._metainfo["classes"] = tuple(classes)
        images = [
            (path, label)
            for label, name in enumerate(classes)
            for path in list_images(folder / name)
        ]
        return [
            {"img_path": str(path), "img_id": number, "gt_label": label}
            for number, (path, label) in enumerate(images)
        ]

    @staticmethod
    def read_classes(node: Mapping[str, Any]) -> list[str]:
        """Class names of the data that a config node describes. Raises what `check` does."""
        return list_classes(_folder_of(node))

    @staticmethod
    def check(node: Mapping[str, Any], classes: Sequence[str]) -> None:
        """Look whether there are images of the classes.

        Raises:
            UserError: a folder is no class, a class has no folder, or there is no image at all.
        """
        folder = _folder_of(node)
        there = list_classes(folder)
        unknown = sorted(set(there) - set(classes))
        if unknown:
            raise UserError(
                f"{folder} has folders of no known class: {some(unknown)}; classes are "
                f"{some(classes)}"
            )
        missing = [name for name in classes if name not in there]
        if missing:
            raise UserError(f"{folder} has no folder for {some(missing)}; it has {some(there)}")
        empty = [name for name in classes if not any(_images(folder / name))]
        if empty:
            raise UserError(f"no images in {some([str(folder / name) for name in empty])}")


def list_classes(folder: Path) -> list[str]:
    """Names of the folders in `folder`. Raises UserError if there are none."""
    try:
        return find_classes(folder)[0]
    except FileNotFoundError:
        raise UserError(
            f"{folder} is not a folder of class folders; images are expected in "
            f"{folder / '<class>'}"
        ) from None


def list_images(folder: Path) -> list[Path]:
    """Image files in `folder` and the folders in it, ordered by name."""
    return sorted(_images(folder))


def _images(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if is_image_file(path.name))


def _folder_of(node: Mapping[str, Any]) -> Path:
    return Path(node.get("data_root") or "") / (node.get("data_prefix") or {}).get("img", "")
