"""Point a config at data, check that the data is there and fits, and take the classes from it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.config import Config

from vitdet.datasets.coco_check import check_coco
from vitdet.datasets.coco_files import find_coco, read_categories
from vitdet.datasets.image_folder import find_splits
from vitdet.engine.config_data_semantic import (
    complete_semantic,
    is_semantic,
    use_semantic_folder,
)
from vitdet.engine.config_types import class_of
from vitdet.errors import UserError

PARTS = ("train", "val", "test")


def datasets_of(config: Config) -> Iterator[tuple[str, Any]]:
    """`(part, dataset node)` for every loader, wrappers such as RepeatDataset taken off."""
    for part in PARTS:
        loader = config.get(f"{part}_dataloader")
        if loader is None:
            continue
        for node in _unwrapped(loader["dataset"]):
            yield part, node


def _unwrapped(node: Any) -> list[Any]:
    if "datasets" in node:  # ConcatDataset
        return [one for several in node["datasets"] for one in _unwrapped(several)]
    return _unwrapped(node["dataset"]) if "dataset" in node else [node]


def evaluators_of(config: Config, part: str) -> list[Any]:
    """Evaluator nodes of one part; the config may hold one, several or none."""
    evaluator = config.get(f"{part}_evaluator")
    if evaluator is None:
        return []
    return list(evaluator) if isinstance(evaluator, list | tuple) else [evaluator]


def use_folder(config: Config, folder: str | Path) -> None:
    """Point every loader and evaluator at a folder, in place: of COCO's format, of a classifier's,
    where each class has a folder of images, or of a segmentor's, of images and label files.

    In the first case they become our `CocoDataset` and `CocoMetric`, whatever they were: mmdet's
    take the order of classes from each file by itself, and generated data sets have no other
    folder.

    Raises:
        UserError: no such files or folders are found in `folder`.
    """
    nodes = list(datasets_of(config))
    if is_semantic(nodes, config["default_scope"]):
        evaluators = [one for part in PARTS for one in evaluators_of(config, part)]
        use_semantic_folder(config, nodes, evaluators, folder)
        return
    if _tells_classes(config):
        _use_image_folder(config, folder)
        return
    found = find_coco(Path(folder))
    for part, node in nodes:
        ann_file, image_dir = (
            (found.train_ann_file, found.train_images)
            if part == "train"
            else (found.val_ann_file, found.val_images)
        )
        node.update(
            type="vitdet.datasets.CocoDataset",
            data_root="",
            ann_file=str(ann_file),
            data_prefix=dict(img=str(image_dir)),
        )
        node.pop("metainfo", None)
        for evaluator in evaluators_of(config, part):
            metric = evaluator.get("metric", ("bbox", "segm"))
            evaluator.clear()
            evaluator.update(type="vitdet.evaluation.CocoMetric", metric=metric)


def complete_data(config: Config) -> list[str]:
    """Generate data that can be, check all of it, set class names and evaluators; in place.

    Returns the class names: those the config states, or else those of the training data.

    Raises:
        UserError: annotations or images are missing or broken, or classes do not fit.
    """
    nodes = list(datasets_of(config))
    for _, node in nodes:
        prepare = getattr(class_of(node, config["default_scope"]), "prepare", None)
        if prepare is not None:
            prepare(node["data_root"])

    classes = next((list(n["metainfo"]["classes"]) for _, n in nodes if _states_classes(n)), None)
    if is_semantic(nodes, config["default_scope"]):
        return complete_semantic(config, nodes, classes)
    if _tells_classes(config):
        return _complete_image_classes(config, classes)
    checked = set()
    for part, node in nodes:
        ann_file, image_dir = annotation_file(node), image_folder(node)
        if classes is None:
            classes = read_categories(ann_file)
        if (ann_file, image_dir) not in checked:
            check_coco(ann_file, image_dir, classes=classes)
            checked.add((ann_file, image_dir))
        node["metainfo"] = dict(node.get("metainfo") or {}, classes=tuple(classes))
        for evaluator in evaluators_of(config, part):
            if evaluator.get("ann_file") is None:
                evaluator["ann_file"] = str(ann_file)
    if classes is None:
        raise UserError("the config has no train_dataloader, val_dataloader or test_dataloader")
    return classes


def annotation_file(node: Any) -> Path:
    """Path of a dataset node's annotation file, joined as mmengine's BaseDataset joins it."""
    return Path(node.get("data_root") or "") / node["ann_file"]


def image_folder(node: Any) -> Path:
    """Folder that the file names in a dataset node's annotations are relative to."""
    return Path(node.get("data_root") or "") / (node.get("data_prefix") or {}).get("img", "")


def _tells_classes(config: Config) -> bool:
    """Whether the data sets are a classifier's: they read and check their classes themselves."""
    return any(
        hasattr(class_of(node, config["default_scope"]), "read_classes")
        for _, node in datasets_of(config)
    )


def _use_image_folder(config: Config, folder: str | Path) -> None:
    found = find_splits(folder)
    for part, node in datasets_of(config):
        images = found.train if part == "train" else found.val
        pipeline, test_mode = node["pipeline"], node.get("test_mode", False)
        node.clear()
        node.update(
            type="vitdet.datasets.ImageFolder",
            data_prefix=dict(img=str(images)),
            test_mode=test_mode,
            pipeline=pipeline,
        )


def _complete_image_classes(config: Config, classes: list[str] | None) -> list[str]:
    for _, node in datasets_of(config):
        dataset = class_of(node, config["default_scope"])
        if classes is None:
            classes = dataset.read_classes(node)
        dataset.check(node, classes)
        node["metainfo"] = dict(node.get("metainfo") or {}, classes=tuple(classes))
    return classes


def _states_classes(node: Any) -> bool:
    return bool((node.get("metainfo") or {}).get("classes"))
