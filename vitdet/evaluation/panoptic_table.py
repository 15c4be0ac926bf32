"""Panoptic scores as a table of plain text."""

import math
from collections.abc import Mapping

from vitdet.evaluation.panoptic_quality import ClassQuality, PanopticQuality
from vitdet.evaluation.text_table import plain_table, render

_MEANS = {"_th": "things", "_st": "stuff", "": "all"}


def panoptic_table(
    classes: Mapping[str, ClassQuality], means: Mapping[str, PanopticQuality]
) -> str:
    """PQ, SQ and RQ in percent: a row for each class that is anywhere, and for the means.

    `means` has things under "_th", stuff under "_st", and all under "".
    """
    table = plain_table("class", "PQ", "SQ", "RQ", "found", "missed", "spurious")
    for name, one in classes.items():
        if one.quality.num_classes:
            counts = (one.num_matched, one.num_missed, one.num_spurious)
            table.add_row(name, *_percent(one.quality), *map(str, counts))
    table.add_section()
    for key, name in _MEANS.items():
        table.add_row(f"{name}: mean of {means[key].num_classes}", *_percent(means[key]))
    return render(table)


def _percent(quality: PanopticQuality) -> list[str]:
    return ["-" if math.isnan(value) else f"{100 * value:.1f}" for value in quality[:3]]
