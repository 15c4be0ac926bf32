"""Semantic segmentation: point a config at a folder, check its labels, take the classes from it."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmcv.transforms import LoadAnnotations
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import DATASETS, DefaultScope
from mmseg.datasets import BaseSegDataset

from vitdet.data_check.label_report import label_report
from vitdet.datasets.label_files import mmseg_lookup, palette_of
from vitdet.datasets.label_table import CLASSES_FILE, IGNORED, Colour, LabelTable, numbered_table
from vitdet.datasets.semantic_check import LabelCounts, check_values, count_values, name_values
from vitdet.datasets.semantic_folder import SemanticFolder, find_semantic, pair_files, read_table
from vitdet.engine.config_parts import Part
from vitdet.engine.config_segmentor import check_outputs, ignored_label, leave_outputs_open
from vitdet.engine.config_types import class_of
from vitdet.engine.data_findings import keep_label_report
from vitdet.errors import UserError


def is_semantic(parts: Sequence[Part], scope: str) -> bool:
    """Whether the data sets are those of a segmentor."""
    return any(_is_subclass(class_of(node, scope), BaseSegDataset) for _, node, _ in parts)


def use_semantic_folder(config: Config, parts: Sequence[Part], folder: str | Path) -> None:
    """Point data sets and evaluators at a folder of images and label files, in place.

    A folder in the layout of the config's own data set, such as ADE20K's, stays that data set
    unless it has a `classes.txt`; any other makes them `SemanticFolder`s. Label files are then read
    by `LoadLabels`, predictions scored by our `IoUMetric`, and the outputs of heads follow.

    Raises:
        UserError: see `find_semantic`.
    """
    scope, root = config["default_scope"], Path(folder)
    if all(_has_own_layout(node, root, scope) for _, node, _ in parts):
        for _, node, _ in parts:
            node["data_root"] = str(root)
        name = class_of(parts[0][1], scope).__name__
        print_log(
            f"{root} is laid out as {name} and has its classes; a {CLASSES_FILE} there could name "
            "others",
            logger="current",
        )
        return
    found = find_semantic(root)
    for part, node, _ in parts:
        images, labels = found.train if part == "train" else found.val
        kept = {key: node[key] for key in ("pipeline", "test_mode", "indices") if key in node}
        node.clear()
        node.update(
            type="vitdet.datasets.SemanticFolder",
            data_root=str(root),
            data_prefix=dict(img_path=images, seg_map_path=labels),
            **kept,
        )
        _read_labels_by_table(node["pipeline"], scope)
    _read_labels_by_table(config.get("tta_pipeline") or [], scope)
    for evaluator in (one for _, _, evaluators in parts for one in evaluators):
        metrics = evaluator.get("iou_metrics", ["mIoU"])
        evaluator.clear()
        evaluator.update(type="vitdet.evaluation.IoUMetric", iou_metrics=metrics)
    leave_outputs_open(config)


def complete_semantic(
    config: Config, parts: Sequence[Part], classes: Sequence[str] | None
) -> list[str]:
    """Check label files and set class names, in place. Returns the class names.

    `classes` are those the config states. Every process of a distributed run needs the names, but
    only the first of each machine counts pixels, unless they make the names.

    Raises:
        UserError: files or classes do not fit; in one line, with the remedy.
    """
    sets = _labelled_sets(config, parts, classes)
    counts = None
    if sets[0].table is None or os.environ.get("LOCAL_RANK", "0") == "0":
        counts = [count_values(one.pairs, colours=one.colours) for one in sets]
    if sets[0].table is None:
        table = _table_of_values(sets[0].classes_file, counts)
        sets = [one._replace(table=table) for one in sets]
    table = sets[0].table
    for one in sets:
        if one.table != table:
            raise UserError(
                f"{sets[0].name} and {one.name} read their labels differently (classes or "
                "reduce_zero_label): give both data sets the same"
            )
    if counts is not None:
        for one, count in zip(sets, counts, strict=True):
            check_values(count, table, classes_file=one.classes_file)
        names = [one.name for one in sets]
        report = label_report(dict(zip(names, counts, strict=True)), table)
        print_log(report, logger="current")
        folder = label_folder(parts[0][1])
        if parts[0][0] == "train" and folder is not None:
            keep_label_report(folder, report)
    palette = _palette(sets[0], table)
    for _, node, _ in parts:
        stated = node.get("metainfo") or {}
        node["metainfo"] = {**palette, **stated, "classes": table.classes}
    check_outputs(config, len(table.classes))
    return list(table.classes)


class _LabelledSet(NamedTuple):
    """Pairs of image and label file; `table` is None as long as nothing names the values."""

    name: str
    pairs: tuple[tuple[str, str], ...]
    table: LabelTable | None
    classes_file: Path | None  # None where mmseg defines the data set

    @property
    def colours(self) -> Mapping[Colour, int]:
        return self.table.colours if self.table else {}


def _labelled_sets(
    config: Config, parts: Sequence[Part], classes: Sequence[str] | None
) -> list[_LabelledSet]:
    """One for each data set of the config; val and test are often the same."""
    ignored = ignored_label(config)
    sets: list[_LabelledSet] = []
    for part, node, evaluators in parts:
        if evaluators and all(one.get("format_only") for one in evaluators):
            continue  # predictions are written for a benchmark that keeps its labels
        cls = class_of(node, config["default_scope"])
        if not _is_subclass(cls, BaseSegDataset):
            name = getattr(cls, "__name__", cls)
            raise UserError(f"{part}_dataloader has {name}, which is not for semantic segmentation")
        if issubclass(cls, SemanticFolder):
            found = _folder_set(part, node, classes, ignored)
        else:
            found = _mmseg_set(part, node, config["default_scope"], ignored)
        if not any((one.pairs, one.table) == (found.pairs, found.table) for one in sets):
            number = sum(one.name.split()[0] == part for one in sets) + 1
            sets.append(found if number == 1 else found._replace(name=f"{part} {number}"))
    return sets


def _folder_set(part: str, node: Any, classes: Sequence[str] | None, ignored: int) -> _LabelledSet:
    if ignored != IGNORED:
        raise UserError(
            f"the heads ignore the label {ignored}, but what {CLASSES_FILE} ignores becomes "
            f"{IGNORED}: leave ignore_index out of the config and write `{ignored}: ignore` there"
        )
    root, prefix = Path(node["data_root"]), node["data_prefix"]
    pairs = pair_files(root / prefix["img_path"], root / prefix["seg_map_path"])
    path = root / CLASSES_FILE
    is_named = classes is not None or path.is_file()
    return _LabelledSet(
        part,
        tuple((str(image), str(labels)) for image, labels in pairs),
        read_table(root, classes) if is_named else None,
        path,
    )


def _table_of_values(classes_file: Path, counts: Sequence[LabelCounts]) -> LabelTable:
    classes = name_values(counts, str(classes_file))
    print_log(
        f"{classes_file} is missing: classes are named after their values in the label files, "
        f"{classes[0]!r} to {classes[-1]!r}",
        logger="current",
        level=logging.WARNING,
    )
    return numbered_table(classes)


def _palette(labelled: _LabelledSet, table: LabelTable) -> dict[str, list[Colour]]:
    """Colours of the classes to draw them in, where the data has some that mmseg does not know."""
    if labelled.classes_file is None:
        return {}
    palette = palette_of(labelled.pairs[0][1], table)
    return {"palette": palette} if palette else {}


def _mmseg_set(part: str, node: Any, scope: str, ignored: int) -> _LabelledSet:
    """By mmseg's own rules: `METAINFO`, `reduce_zero_label` and the classes that are chosen."""
    name = getattr(class_of(node, scope), "__name__", "the data set")
    root = node.get("data_root") or "."
    try:
        with DefaultScope.overwrite_default_scope(scope):
            dataset = DATASETS.build(dict(node, pipeline=[], serialize_data=False))
    except (OSError, AssertionError, ValueError) as error:
        reason = " ".join(str(error).split()) or "a file or folder is missing"
        raise UserError(
            f"{part}: {name} is not whole in {root}: {reason}; --data DIR points elsewhere"
        ) from error
    if not dataset.data_list:
        raise UserError(
            f"{part}: no images *{dataset.img_suffix} in {dataset.data_prefix['img_path']}, where "
            f"{name} expects them; --data DIR points elsewhere"
        )
    classes = tuple(dataset.metainfo.get("classes") or ())
    if not classes:
        raise UserError(f"{part}: {name} needs class names: give it metainfo.classes")
    lookup = mmseg_lookup(reduce_zero_label=dataset.reduce_zero_label, label_map=dataset.label_map)
    values = [int(np.flatnonzero(lookup == label)[0]) for label in range(len(classes))]
    unlabelled = frozenset(np.flatnonzero(lookup == ignored).tolist())
    pairs = tuple((item["img_path"], item["seg_map_path"]) for item in dataset.data_list)
    return _LabelledSet(part, pairs, LabelTable(classes, tuple(values), unlabelled), None)


def _has_own_layout(node: Any, root: Path, scope: str) -> bool:
    """Whether `root` has the folders of the node's data set, whose classes mmseg knows.

    A `classes.txt` says that it is a user's own.
    """
    prefix = node.get("data_prefix") or {}
    folders = [prefix.get("img_path"), prefix.get("seg_map_path")]
    return (
        bool((getattr(class_of(node, scope), "METAINFO", None) or {}).get("classes"))
        and not (root / CLASSES_FILE).is_file()
        and all(folder and (root / folder).is_dir() for folder in folders)
    )


def label_folder(node: Any) -> Path | None:
    """Folder of a dataset node's label files, where the node names it."""
    folder = (node.get("data_prefix") or {}).get("seg_map_path")
    return Path(node.get("data_root") or "") / folder if folder else None


def _read_labels_by_table(steps: Any, scope: str) -> None:
    """Exchange transforms that read labels in a pipeline, nested ones too, in place."""
    for index, step in enumerate(steps):
        if isinstance(step, Sequence):
            _read_labels_by_table(step, scope)
        elif "transforms" in step:
            _read_labels_by_table(step["transforms"], scope)
        elif _is_subclass(class_of(step, scope), LoadAnnotations):
            steps[index] = dict(type="vitdet.datasets.LoadLabels")


def _is_subclass(cls: Any, base: type) -> bool:
    return isinstance(cls, type) and issubclass(cls, base)
