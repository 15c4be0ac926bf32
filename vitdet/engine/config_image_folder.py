"""Classification: point a config at folders of images by class, and take the classes from them."""

from collections.abc import Sequence
from pathlib import Path

from vitdet.datasets.image_folder import find_splits
from vitdet.engine.config_parts import Part
from vitdet.engine.config_types import class_of


def tells_classes(parts: Sequence[Part], scope: str) -> bool:
    """Whether the data sets are a classifier's: they read and check their classes themselves."""
    return any(hasattr(class_of(node, scope), "read_classes") for _, node, _ in parts)


def use_image_folder(parts: Sequence[Part], folder: str | Path) -> None:
    """Point every part at a folder of class folders, in place.

    Raises:
        UserError: see `find_splits`.
    """
    found = find_splits(folder)
    for part, node, _ in parts:
        images = found.train if part == "train" else found.val
        pipeline, test_mode = node["pipeline"], node.get("test_mode", False)
        node.clear()
        node.update(
            type="vitdet.datasets.ImageFolder",
            data_prefix=dict(img=str(images)),
            test_mode=test_mode,
            pipeline=pipeline,
        )


def complete_image_folder(
    parts: Sequence[Part], classes: Sequence[str] | None, scope: str
) -> list[str]:
    """Check all data and set class names, in place; return the class names.

    Raises:
        UserError: as the data set's own `check` does.
    """
    for _, node, _ in parts:
        dataset = class_of(node, scope)
        if classes is None:
            classes = dataset.read_classes(node)
        dataset.check(node, classes)
        node["metainfo"] = dict(node.get("metainfo") or {}, classes=tuple(classes))
    return list(classes)
