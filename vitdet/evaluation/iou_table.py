"""Scores of semantic segmentation as a table of plain text."""

import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest

from torch import Tensor

from vitdet.evaluation.text_table import plain_table, render

_ROWS = 50  # of classes, before a second table begins beside the first


def class_table(areas: Tensor, scores: Mapping[str, Tensor], *, classes: Sequence[str]) -> str:
    """One row for each class that is in a label map or a prediction; then the others by name.

    Args:
        areas: (N, 3, K) int64 of N images; see `areas_of`.
        scores: by name, (K,) percent or NaN.
        classes: K names.
    """
    _, predicted, true = areas.sum(0)
    shares = (100 * true / true.sum()).tolist()
    images = (areas[:, 2] > 0).sum(0).tolist()
    columns = [values.tolist() for values in scores.values()]
    rows = [
        [name, str(images[k]), f"{shares[k]:.2f}", *(_figure(values[k]) for values in columns)]
        for k, name in enumerate(classes)
        if true[k] or predicted[k]
    ]
    texts = []
    for start in range(0, len(rows), _ROWS):
        table = plain_table("class", "images", "pixels %", *scores)
        for row in rows[start : start + _ROWS]:
            table.add_row(*row)
        texts.append(render(table).splitlines())
    lines = [" ".join(row) for row in zip_longest(*texts, fillvalue="")]
    groups = {
        "predicted, but in no label map": (true == 0) & (predicted > 0),
        "neither predicted nor in a label map": (true == 0) & (predicted == 0),
    }
    for title, is_member in groups.items():
        names = [classes[k] for k in is_member.nonzero().flatten().tolist()]
        if names:
            lines.append(f"{title}: {'; '.join(names)}")  # names of ADE20K hold commas
    return "\n".join(lines)


def _figure(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"
