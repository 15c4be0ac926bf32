"""Fit the sizes in a detector's pipelines to small images."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.logging import print_log

from vitdet.engine.config_parts import datasets_of

_MAX_ENLARGEMENT = 2
_MULTIPLE = 32  # of the coarsest map's stride
_KEYS = ("scale", "scales", "crop_size", "size")


def fit_image_size(config: Config, sizes: Sequence[tuple[int, int]]) -> None:
    """Enlarge images at most twice, in place: more costs time and shows nothing new; say so.

    Args:
        sizes: of all images, in pixels; the larger of them count.
    """
    if not sizes:
        return
    shorter_side = int(np.percentile([min(size) for size in sizes], 90))
    pipelines = [node.get("pipeline") or () for _, node in datasets_of(config)]
    stated = max((min(size) for p in pipelines for _, _, size in _sizes(p)), default=0)
    factor = _MAX_ENLARGEMENT * shorter_side / max(stated, 1)
    if factor >= 1 or not stated:
        return
    seen = set()  # pipelines may share their steps
    for pipeline in pipelines:
        for holder, key, size in list(_sizes(pipeline)):
            if (id(holder), key) not in seen:
                seen.add((id(holder), key))
                holder[key] = tuple(_rounded(side * factor) for side in size)
    print_log(
        f"image size: the recipe's times {factor:.2f}, so that images whose shorter side has "
        f"{shorter_side} pixels are enlarged twice, not to {stated} (the pipelines' scale)",
        logger="current",
    )


def _rounded(side: float) -> int:
    return max(round(side / _MULTIPLE), 1) * _MULTIPLE


def _sizes(node: Any) -> Iterator[tuple[Any, Any, Sequence[int]]]:
    """Every (width, height) in a pipeline, with what holds it and under which key."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in _KEYS and _is_size(value):
                yield node, key, value
            elif key in _KEYS and isinstance(value, list):
                yield from ((value, k, size) for k, size in enumerate(value) if _is_size(size))
            else:
                yield from _sizes(value)
    elif isinstance(node, list | tuple):
        for one in node:
            yield from _sizes(one)


def _is_size(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(isinstance(side, int) for side in value)
    )
