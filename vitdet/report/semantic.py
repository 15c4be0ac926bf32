"""Sections about label maps: scores of classes, confusions."""

from html import escape

import numpy as np

from vitdet.evaluation.iou_metric import IoURecord
from vitdet.report.confusion import confusion_section
from vitdet.visualization.page import decimal, section, table


def semantic_sections(record: IoURecord) -> list[str]:
    """Scores of each class in percent and, where one process has counted all, the confusions."""
    total = max(record.true_pixels.sum(), 1)
    rows = [
        [
            escape(name),
            f"{100 * pixels / total:.2f} %",
            *(decimal(values[label], 2) for values in record.class_scores.values()),
        ]
        for label, (name, pixels) in enumerate(
            zip(record.classes, record.true_pixels.tolist(), strict=True)
        )
    ]
    means = [decimal(_mean(values), 2) for values in record.class_scores.values()]
    rows.append(["<b>mean</b>", "", *means])
    head = ["class", "pixels", *record.class_scores]
    note = "In percent; a dash where a class neither occurs nor is predicted."
    parts = [section("Classes", table(head, rows), note=note)]
    if record.table is not None:
        note = "Percent of a true class's pixels that are predicted as each class."
        parts.append(confusion_section(record.table, record.classes, note=note, unit="%"))
    return parts


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")
