"""The check, in brief, of what a config trains on, where `--data` did not make it already."""

from typing import Any

from mmdet.datasets import CocoDataset, CocoPanopticDataset
from mmengine.config import Config

from vitdet.data_check import DataCheck
from vitdet.datasets.coco_files import read_coco
from vitdet.datasets.formats.data_folder import CocoSplit, DataFolder
from vitdet.engine.config_coco import annotation_file, image_folder
from vitdet.engine.config_parts import datasets_of
from vitdet.engine.config_semantic import label_folder
from vitdet.engine.config_types import class_of
from vitdet.engine.data_findings import findings_file, keep_findings, tell_findings


def check_training_data(config: Config) -> None:
    """Check the COCO files that a config trains and evaluates on, log and keep what is wrong.

    Files that were checked before, and have not changed since, are not checked again. Nothing is
    mended: what cannot be trained on was refused when the config was completed.
    """
    nodes = _coco_nodes(config)
    if "train" not in nodes or findings_file(annotation_file(nodes["train"])).is_file():
        return
    splits = {
        part: CocoSplit(part, read_coco(source), image_folder(node), source)
        for part, node in nodes.items()
        for source in [annotation_file(node)]
    }
    source = splits["train"].source
    check = DataCheck(DataFolder(source.parent, "COCO", splits), reading="brief")
    done = "trained on as they are"
    tell_findings(check, done=done)
    keep_findings(source, check, done=done)


def findings_about(config: Config) -> str:
    """The section of a page about a config's training data; empty where nothing is known."""
    for part, node in datasets_of(config):
        labels = label_folder(node)
        if labels is None and node.get("ann_file"):
            labels = annotation_file(node)
        if part == "train" and labels is not None and labels.exists():
            file = findings_file(labels)
            return file.read_text(encoding="utf-8") if file.is_file() else ""
    return ""


def _coco_nodes(config: Config) -> dict[str, Any]:
    """The first data set of `train` and of `val`, those with boxes or masks in COCO's format."""
    nodes: dict[str, Any] = {}
    for part, node in datasets_of(config):
        cls = class_of(node, config["default_scope"])
        if part == "test" or not isinstance(cls, type) or not issubclass(cls, CocoDataset):
            continue
        if not issubclass(cls, CocoPanopticDataset):
            nodes.setdefault(part, node)
    return nodes
