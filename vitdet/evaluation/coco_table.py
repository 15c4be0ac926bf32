"""COCO scores as tables of plain text."""

import math

from vitdet.evaluation.coco_scores import CocoScores, IoUScores
from vitdet.evaluation.text_table import plain_table, render

_AP_NAMES = ("AP", "AP50")
_STAT_NAMES = (
    *("AP", "AP50", "AP75", "APs", "APm", "APl"),
    *("AR1", "AR10", "AR100", "ARs", "ARm", "ARl"),
)


def class_table(scores: CocoScores) -> str:
    """One row for each class and one for all: how much there is to find, and AP and AP50."""
    types = _types(scores)
    table = plain_table(
        "class", "images", "instances", *(f"{t} {m}" for t in types for m in _AP_NAMES)
    )
    for name, instances in scores.class_instances.items():
        values = [v for s in types.values() for v in (s.class_ap[name], s.class_ap50[name])]
        table.add_row(name, str(scores.class_images[name]), str(instances), *map(_figure, values))
    table.add_section()
    values = [value for s in types.values() for value in (s.ap, s.ap50)]
    total = sum(scores.class_instances.values())
    table.add_row("all", str(scores.num_images), str(total), *map(_figure, values))
    return render(table)


def summary_table(scores: CocoScores) -> str:
    """The twelve COCO numbers, one row for boxes and one for masks."""
    table = plain_table("", *_STAT_NAMES)
    for name, iou_scores in _types(scores).items():
        table.add_row(name, *map(_figure, iou_scores.stats))
    return render(table)


def _types(scores: CocoScores) -> dict[str, IoUScores]:
    types = {"box": scores.bbox, "mask": scores.segm}
    return {name: iou_scores for name, iou_scores in types.items() if iou_scores is not None}


def _figure(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"
