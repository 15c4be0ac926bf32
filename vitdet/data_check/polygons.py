"""Polygons as people write them, brought into COCO's form: lists of x, y, x, y, ..."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def polygons_of(segmentation: Sequence[Any]) -> tuple[list[Any], bool]:
    """The polygons of a list under `segmentation`, and whether it was in another layout.

    Other layouts are one flat list of numbers, and points as pairs. What is neither stays as it is.
    """
    if isinstance(segmentation[0], (int, float)):
        return [list(segmentation)], True
    if len(segmentation) >= 3 and _are_pairs(segmentation):
        return [_flat(segmentation)], True
    is_other = False
    parts = []
    for part in segmentation:
        is_pairs = isinstance(part, list) and bool(part) and isinstance(part[0], list)
        if is_pairs and _are_pairs(part):
            part, is_other = _flat(part), True
        parts.append(part)
    return parts, is_other


def _are_pairs(points: Sequence[Any]) -> bool:
    return all(
        isinstance(point, list | tuple)
        and len(point) == 2
        and isinstance(point[0], int | float)
        and isinstance(point[1], int | float)
        for point in points
    )


def _flat(points: Sequence[Sequence[float]]) -> list[float]:
    return [value for point in points for value in point]


def is_sound(polygon: Any) -> bool:
    """Whether it is a list of three or more finite points that enclose an area."""
    if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
        return False
    if not all(isinstance(value, int | float) for value in polygon):
        return False
    points = np.array(polygon, dtype=float).reshape(-1, 2)
    return bool(np.isfinite(points).all()) and has_area(
        polygon_area(points), np.ptp(points, axis=0)
    )


def has_area(area: Any, extent: np.ndarray) -> Any:
    """Whether polygons of `area` with extent: (..., 2) are more than a line."""
    return area > 1e-6 * extent.prod(axis=-1)


def polygon_area(points: np.ndarray) -> float:
    """Area that points: (N, 2) enclose, by the shoelace formula."""
    x, y = (points - points.min(axis=0)).T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def clip_polygon(polygon: Sequence[float], width: float, height: float) -> list[float]:
    """The part of a polygon within the image; empty where none is.

    One side of the image after the other cuts it (Sutherland and Hodgman, 1974). Where a concave
    polygon falls apart, its parts stay joined along the border, which adds no area.
    """
    points = np.array(polygon, dtype=float).reshape(-1, 2)
    for axis, sign, limit in ((0, 1, 0.0), (1, 1, 0.0), (0, -1, width), (1, -1, height)):
        if not len(points):
            break
        distance = sign * (points[:, axis] - limit)
        following, next_distance = np.roll(points, -1, axis=0), np.roll(distance, -1)
        is_crossing = (distance < 0) != (next_distance < 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = (distance / (distance - next_distance))[:, None]
            crossing = points + share * (following - points)
        crossing[:, axis] = limit
        kept = np.stack([points, crossing], axis=1)
        points = kept[np.stack([distance >= 0, is_crossing], axis=1)]
    return points.round(2).ravel().tolist()
