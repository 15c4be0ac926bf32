"""Polygons against drawn pixels."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from vitdet.data_check.polygons import clip_polygon, polygon_area, polygons_of

WIDTH, HEIGHT = 60, 40


def drawn(polygon: list[float], margin: int = 40) -> np.ndarray:
    """Pixels of a polygon, by pycocotools, on a sheet with a margin around the image."""
    shifted = (np.array(polygon).reshape(-1, 2) + margin).ravel().tolist()
    size = HEIGHT + 2 * margin, WIDTH + 2 * margin
    return coco_mask.decode(coco_mask.frPyObjects([shifted], *size))[..., 0].astype(bool)


@pytest.mark.parametrize("seed", range(20))
def test_clipped_is_what_lies_in_the_image(seed: int) -> None:
    generator = np.random.default_rng(seed)
    angles = np.sort(generator.uniform(0, 2 * np.pi, 9))
    radii = generator.uniform(8, 35, 9)
    centre = generator.uniform((0, 0), (WIDTH, HEIGHT))
    points = centre + np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
    polygon = points.ravel().tolist()
    clipped = clip_polygon(polygon, WIDTH, HEIGHT)
    assert np.all(np.array(clipped[::2]) >= 0) and np.all(np.array(clipped[::2]) <= WIDTH)
    assert np.all(np.array(clipped[1::2]) >= 0) and np.all(np.array(clipped[1::2]) <= HEIGHT)
    inside = drawn(polygon)[40 : 40 + HEIGHT, 40 : 40 + WIDTH]
    own = drawn(clipped)
    assert abs(int(own.sum()) - int(inside.sum())) <= 0.06 * inside.sum() + 12  # border pixels
    area = polygon_area(np.array(clipped).reshape(-1, 2))
    assert area == pytest.approx(inside.sum(), rel=0.06, abs=12)


def test_outside_nothing_is_left() -> None:
    assert clip_polygon([70, 5, 90, 5, 90, 20], WIDTH, HEIGHT) == []


def test_layouts() -> None:
    square = [1, 1, 5, 1, 5, 5, 1, 5]
    pairs = [[1, 1], [5, 1], [5, 5], [1, 5]]
    assert polygons_of([square]) == ([square], False)
    assert polygons_of([square, square]) == ([square, square], False)
    assert polygons_of(square) == ([square], True)
    assert polygons_of(pairs) == ([square], True)
    assert polygons_of([pairs, pairs]) == ([square, square], True)
