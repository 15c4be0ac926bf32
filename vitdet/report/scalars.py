"""The numbers that a run has logged, step by step."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

Curve = tuple[list[float], list[float]]
"""Places and values, of equal length."""


class Scalars(NamedTuple):
    """What was logged in training, by step, and in evaluations, by epoch or step."""

    training: list[dict[str, Any]]
    evaluations: list[dict[str, Any]]


def read_scalars(run_folder: Path) -> Scalars:
    """All logged numbers of a run, those of resumed parts joined; empty where there are none.

    What a resumed part has done again replaces what was done before. A line that is cut off, as a
    killed run leaves it, is left out.
    """
    joined = Scalars([], [])
    for path in sorted(run_folder.glob("*/vis_data/scalars.json")):
        entries = list(_entries(path))
        part = Scalars(
            [one for one in entries if "loss" in one], [one for one in entries if "loss" not in one]
        )
        for kept, new in zip(joined, part, strict=True):
            first = new[0]["step"] if new else math.inf
            kept[:] = [one for one in kept if one["step"] < first] + new
    return joined


def curve(entries: Iterable[Mapping[str, Any]], key: str, *, max_points: int = 300) -> Curve:
    """Steps and values of `key`; of very many, means of neighbours. NaN and COCO's -1 are left out.

    -1 is COCO's word for "nothing to find".
    """
    points = [
        (one["step"], one[key])
        for one in entries
        if isinstance(one.get(key), int | float) and math.isfinite(one[key]) and one[key] != -1
    ]
    group = -(-len(points) // max_points) or 1
    groups = [points[i : i + group] for i in range(0, len(points), group)]
    return (
        [sum(step for step, _ in one) / len(one) for one in groups],
        [sum(value for _, value in one) / len(one) for one in groups],
    )


def _entries(path: Path) -> Iterable[dict[str, Any]]:
    for line in path.read_text().splitlines():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        if "step" in entry:
            yield entry
