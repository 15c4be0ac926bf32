"""Sections about boxes and masks: scores, curves, confusions."""

import math
from collections.abc import Sequence
from html import escape

import numpy as np

from vitdet.evaluation.coco_record import SHOWN_SCORE, CocoRecord
from vitdet.evaluation.coco_scores import IoUScores
from vitdet.report.chart import line_chart
from vitdet.report.confusion import confusion_section
from vitdet.report.matching import (
    CORRECT,
    FAULTS,
    MATCH_IOU,
    ImageMatch,
    confusion_matrix,
    match_images,
)
from vitdet.visualization.colours import class_colour
from vitdet.visualization.page import decimal, figure, section, table

_STATS = (
    *("AP", "AP50", "AP75", "AP small", "AP medium", "AP large"),
    *("AR 1", "AR 10", "AR 100", "AR small", "AR medium", "AR large"),
)
_MAX_CURVES = 30  # of more classes, those with the most objects


def detection_sections(record: CocoRecord) -> tuple[list[str], list[ImageMatch]]:
    """The sections, and the matched images that they count."""
    matches = match_images(record)
    names = list(record.category_ids)
    note = (
        f"Boxes that overlap by an IoU of at least {MATCH_IOU}, found with a score of at least "
        f"{SHOWN_SCORE}; crowds are left out. Objects of the same class are paired first."
    )
    confusions = confusion_section(
        confusion_matrix(matches, len(names)),
        names,
        note=note,
        last_row="nothing there",
        last_column="missed",
    )
    return [_scores(record), _classes(record), _curves(record), confusions, _faults(matches)], (
        matches
    )


def _types(record: CocoRecord) -> dict[str, IoUScores]:
    types = {"box": record.scores.bbox, "mask": record.scores.segm}
    return {name: scores for name, scores in types.items() if scores is not None}


def _scores(record: CocoRecord) -> str:
    rows = [[name, *map(decimal, scores.stats)] for name, scores in _types(record).items()]
    return section(
        "Average precision and recall",
        table(["", *_STATS], rows),
        note="COCO's: small is below 32² pixels, large above 96²; a dash where there is no such "
        "object. AP weighs all scores and IoUs from 0.5 to 0.95.",
    )


def _classes(record: CocoRecord) -> str:
    scores, types = record.scores, _types(record)
    head = ["class", "images", "objects"]
    for name in types:
        head += [f"{name} AP", "AP50", "small", "medium", "large"]
    rows = []
    for label, name in enumerate(record.category_ids):
        colour = "#{:02x}{:02x}{:02x}".format(*class_colour(label))
        row = [
            f'<span class="chip" style="background:{colour}"></span>{escape(name)}',
            str(scores.class_images[name]),
            str(scores.class_instances[name]),
        ]
        for one in types.values():
            figures = (one.class_ap[name], one.class_ap50[name], *one.class_ap_sizes[name])
            row += [decimal(value) for value in figures]
        rows.append(row)
    absent = [name for name, number in scores.class_instances.items() if not number]
    note = f"{scores.num_images} images."
    if absent:
        note += f" Nothing to find, and so no score: {', '.join(absent)}."
    return section("Classes", table(head, rows), note=note)


def _curves(record: CocoRecord) -> str:
    instances = record.scores.class_instances
    there = sorted((name for name in instances if instances[name]), key=lambda n: -instances[n])
    recalls = np.linspace(0, 1, 101)
    charts = []
    for name in there[:_MAX_CURVES]:
        lines = []
        for iou_type, scores in _types(record).items():
            precisions = scores.class_curve50[name]
            # Beyond the last recall that is reached there is no precision.
            shown = (precisions > 0) | (recalls == 0)
            lines.append((iou_type, (recalls[shown].tolist(), precisions[shown].tolist())))
        chart = line_chart(
            lines, x_name="recall", size=(220, 170), x_limits=(0, 1), y_limits=(0, 1), dots=False
        )
        figures = ", ".join(
            f"{iou_type} AP50 {decimal(scores.class_ap50[name], 2)}"
            for iou_type, scores in _types(record).items()
        )
        charts.append(figure(chart, f"{name}: {figures}"))
    note = "Precision over recall at an IoU of 0.5, as COCO interpolates it."
    if len(there) > _MAX_CURVES:
        note += f" The {_MAX_CURVES} classes with the most objects of {len(there)}."
    return section(
        "Precision and recall", f'<div class="grid small">{"".join(charts)}</div>', note=note
    )


def _faults(matches: Sequence[ImageMatch]) -> str:
    verdicts = [verdict for match in matches for verdict in match.verdicts]
    num_true = sum(match.num_true for match in matches)
    missed = sum(len(match.missed) for match in matches)
    counts = [(kind, verdicts.count(kind)) for kind in (CORRECT, *FAULTS)]
    rows = [[kind, str(number), _share(number, len(verdicts))] for kind, number in counts]
    return section(
        "What was found",
        table(["", "objects", "of all found"], rows),
        note=f"{num_true} objects are labelled, {missed} of them were not found as anything. Badly "
        "placed: the box overlaps an object by an IoU of 0.1 to 0.5.",
    )


def _share(number: int, total: int) -> str:
    return decimal(100 * number / total if total else math.nan, 0) + " %"
