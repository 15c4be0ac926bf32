"""Boxes and masks: point a config at COCO's format, check it, and take the classes from it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from vitdet.datasets.coco_check import check_coco
from vitdet.datasets.coco_files import read_categories
from vitdet.engine.config_masks import turn_masks_off
from vitdet.engine.config_parts import Part
from vitdet.engine.own_data import own_data


def use_coco_folder(config: Config, parts: Sequence[Part], folder: str | Path) -> None:
    """Point every part at a folder of annotated images, in place.

    Data sets become our `CocoDataset`, metrics our `CocoMetric`, whatever they were: mmdet's take
    the order of classes from each file by itself, and generated data sets have no other folder.

    Raises:
        UserError: see `own_data` and `turn_masks_off`.
    """
    found = own_data(folder)
    for part, node, evaluators in parts:
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
        for evaluator in evaluators:
            metric = evaluator.get("metric", ("bbox", "segm"))
            evaluator.clear()
            evaluator.update(type="vitdet.evaluation.CocoMetric", metric=metric)
    if not found.has_masks:
        turn_masks_off(config)


def complete_coco(
    parts: Sequence[Part], classes: Sequence[str] | None, *, for_test: bool = False
) -> list[str]:
    """Check all data, set class names and evaluators, in place; return the class names.

    `for_test` takes no more than class names from what nothing is tested on, if it is there at all.

    Raises:
        UserError: see `check_coco`.
    """
    checked = set()
    for part, node, _ in parts:
        ann_file, image_dir = annotation_file(node), image_folder(node)
        is_needed = part == "test" or not for_test
        if classes is None and (is_needed or ann_file.is_file()):
            classes = read_categories(ann_file)
        if is_needed and (ann_file, image_dir) not in checked:
            check_coco(ann_file, image_dir, classes=classes)
            checked.add((ann_file, image_dir))
    for _, node, evaluators in parts:
        node["metainfo"] = dict(node.get("metainfo") or {}, classes=tuple(classes))
        for evaluator in evaluators:
            if evaluator.get("ann_file") is None:
                evaluator["ann_file"] = str(annotation_file(node))
    return list(classes)


def annotation_file(node: Any) -> Path:
    """Path of a dataset node's annotation file, joined as mmengine's BaseDataset joins it."""
    return Path(node.get("data_root") or "") / node["ann_file"]


def image_folder(node: Any) -> Path:
    """Folder that the file names in a dataset node's annotations are relative to."""
    return Path(node.get("data_root") or "") / (node.get("data_prefix") or {}).get("img", "")
