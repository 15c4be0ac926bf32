"""Point a config at panoptic data, check it, and take the classes from it."""

from collections.abc import Sequence
from pathlib import Path

from mmdet.datasets import CocoPanopticDataset
from mmengine.config import Config

from vitdet.datasets.panoptic_check import check_panoptic
from vitdet.datasets.panoptic_files import find_panoptic, panoptic_classes, read_panoptic
from vitdet.engine.config_parts import Part
from vitdet.engine.config_types import class_of, parameters_of
from vitdet.errors import UserError


def is_panoptic(parts: Sequence[Part], scope: str) -> bool:
    """Whether the data sets are of COCO's panoptic format, ours or mmdet's."""
    classes = [class_of(node, scope) for _, node, _ in parts]
    return any(isinstance(cls, type) and issubclass(cls, CocoPanopticDataset) for cls in classes)


def use_panoptic_folder(parts: Sequence[Part], folder: str | Path) -> None:
    """Point every part at a folder, in place; data sets and metrics become ours.

    Raises:
        UserError: see `find_panoptic`.
    """
    train, val = find_panoptic(folder)
    for part, node, evaluators in parts:
        split = train if part == "train" else val
        node.update(
            type="vitdet.datasets.CocoPanopticDataset",
            data_root="",
            ann_file=str(split.ann_file),
            data_prefix=dict(img=str(split.images), seg=str(split.segments)),
        )
        node.pop("metainfo", None)
        for evaluator in evaluators:
            evaluator.clear()
            evaluator.update(type="vitdet.evaluation.CocoPanopticMetric")


def complete_panoptic(parts: Sequence[Part], classes: Sequence[str] | None) -> list[str]:
    """Check all data, set class names and evaluators, in place; return the class names.

    Raises:
        UserError: see `check_panoptic`.
    """
    checked = set()
    for _, node, evaluators in parts:
        root, prefix = Path(node.get("data_root") or ""), node.get("data_prefix") or {}
        files = (
            root / node["ann_file"],
            root / prefix.get("img", ""),
            root / prefix.get("seg", ""),
        )
        if files not in checked:
            check_panoptic(*files, classes=classes)
            checked.add(files)
        found = panoptic_classes(read_panoptic(files[0]), classes=classes, source=files[0])
        classes = list(found.ids)
        node["metainfo"] = dict(
            node.get("metainfo") or {},
            classes=tuple(classes),
            thing_classes=found.things,
            stuff_classes=found.stuff,
        )
        for evaluator in evaluators:
            if evaluator.get("ann_file") is None:
                evaluator["ann_file"] = str(files[0])
            takes = parameters_of(class_of(evaluator, "mmdet"))
            if "seg_prefix" in takes and evaluator.get("seg_prefix") is None:
                evaluator["seg_prefix"] = str(files[2])
    return list(classes)


def set_num_thing_classes(config: Config, parts: Sequence[Part], *, override: bool) -> None:
    """Tell a model that makes panoptic maps how many of its classes, the first, are things.

    Raises:
        UserError: the config states another number than the data has.
    """
    model = config["model"]
    takes = parameters_of(class_of(model, config["default_scope"]))
    if "num_thing_classes" not in takes or not model.get("with_masks"):
        return
    count = len(parts[0][1]["metainfo"]["thing_classes"])
    stated = model.get("num_thing_classes")
    if stated is not None and stated != count and not override:
        raise UserError(
            f"model.num_thing_classes is {stated}, but the training data has {count} classes of "
            "things; leave it out of the config and it follows from the data"
        )
    model["num_thing_classes"] = count
