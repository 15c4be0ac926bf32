"""Shapes that COCO has not, as polygons and run lengths: circles, turned boxes, bitmaps.

A polygon is a flat list x1, y1, x2, y2, ... in pixels.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from vitdet.datasets.formats.untrusted_files import BrokenLabelError

# A polygon of so many corners covers 99.8 % of its circle.
_CORNERS = 60
# What a broken file says of an image's size is not to fill the memory.
_MAX_PIXELS = 500_000_000


def polygon_area(polygon: Sequence[float]) -> float:
    """Area in pixels, whichever way round it is drawn; parts drawn twice cancel or add up."""
    xs, ys = polygon[0::2], polygon[1::2]
    following = zip([*xs[1:], *xs[:1]], [*ys[1:], *ys[:1]], strict=False)
    pairs = zip(xs, ys, following, strict=False)
    return abs(sum(x * next_y - next_x * y for x, y, (next_x, next_y) in pairs)) / 2


def box_of(polygons: Sequence[Sequence[float]]) -> list[float]:
    """x, y, width, height around all polygons."""
    xs = [x for polygon in polygons for x in polygon[0::2]]
    ys = [y for polygon in polygons for y in polygon[1::2]]
    return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]


def ellipse(
    centre: tuple[float, float], radii: tuple[float, float], *, degrees: float = 0
) -> list[float]:
    """Polygon of an ellipse turned clockwise, as seen on the screen, about its centre.

    Raises BrokenLabelError if the angle is not finite; so does `turned_box`.
    """
    angles = (2 * math.pi * k / _CORNERS for k in range(_CORNERS))
    corners = [(radii[0] * math.cos(angle), radii[1] * math.sin(angle)) for angle in angles]
    return _turned(corners, centre, degrees)


def turned_box(
    centre: tuple[float, float], size: tuple[float, float], *, degrees: float
) -> list[float]:
    """Polygon of a box of width and height, turned clockwise on the screen about its centre."""
    x, y = size[0] / 2, size[1] / 2
    return _turned([(-x, -y), (x, -y), (x, y), (-x, y)], centre, degrees)


def _turned(
    corners: Sequence[tuple[float, float]], centre: tuple[float, float], degrees: float
) -> list[float]:
    if not math.isfinite(degrees):
        raise BrokenLabelError(f"has a shape turned by {degrees} degrees")
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    polygon = []
    for x, y in corners:  # y points down: this turns clockwise
        polygon += [centre[0] + x * cos - y * sin, centre[1] + x * sin + y * cos]
    return polygon


def bitmap_rle(
    bitmap: np.ndarray, corner: tuple[int, int], *, image_size: tuple[int, int]
) -> dict[str, Any]:
    """COCO's RLE of a bitmap whose top left pixel lies at `corner` (x, y) of the image.

    bitmap: (h, w) bool. image_size: width, height. What reaches out of the image is cut off.
    Raises BrokenLabelError if the image is said to have more pixels than any has.
    """
    width, height = image_size
    if width * height > _MAX_PIXELS:
        raise BrokenLabelError(f"has a mask in an image of {width}x{height} pixels")
    mask = np.zeros((height, width), dtype=np.uint8, order="F")
    x, y = corner
    left, top = max(x, 0), max(y, 0)
    part = bitmap[top - y : max(height - y, 0), left - x : max(width - x, 0)]
    mask[top : top + part.shape[0], left : left + part.shape[1]] = part
    rle = coco_mask.encode(mask)
    return {"size": [height, width], "counts": rle["counts"].decode()}


def rle_box(rle: dict[str, Any]) -> list[float]:
    """x, y, width, height around the pixels of an RLE."""
    return coco_mask.toBbox(rle).tolist()


def rle_area(rle: dict[str, Any]) -> float:
    """Number of its pixels."""
    return float(coco_mask.area(rle))
