"""Areas and boxes against numpy and OpenCV, which draw them pixel by pixel."""

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from vitdet.datasets.formats.outlines import (
    bitmap_rle,
    box_of,
    ellipse,
    polygon_area,
    rle_area,
    rle_box,
    turned_box,
)


@pytest.mark.parametrize("seed", range(5))
def test_area_is_that_of_opencv(seed):
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.random(rng.integers(3, 20))) * 2 * np.pi
    radii = rng.uniform(5, 50, angles.size)
    corners = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
    expected = cv2.contourArea(corners.astype(np.float32))
    assert polygon_area(corners.ravel().tolist()) == pytest.approx(expected, rel=1e-5)
    assert polygon_area(corners[::-1].ravel().tolist()) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(
        box_of([corners.ravel().tolist()]), [*corners.min(0), *np.ptp(corners, axis=0)]
    )


@pytest.mark.parametrize("degrees", [0, 30, 90, -45, 200])
def test_turned_boxes_are_those_of_opencv(degrees):
    ours = np.reshape(turned_box((20, 30), (14, 6), degrees=degrees), (-1, 2))
    theirs = cv2.boxPoints(((20, 30), (14, 6), degrees))  # turns clockwise on the screen too
    for corner in ours:
        assert np.abs(theirs - corner).sum(1).min() < 1e-3


def test_an_ellipse_is_nearly_round():
    corners = np.reshape(ellipse((20, 30), (8, 8)), (-1, 2))
    np.testing.assert_allclose(np.hypot(*(corners - (20, 30)).T), 8)
    assert polygon_area(corners.ravel().tolist()) == pytest.approx(np.pi * 64, rel=0.002)
    assert polygon_area(ellipse((0, 0), (9, 4), degrees=33)) == pytest.approx(np.pi * 36, rel=0.002)


@pytest.mark.parametrize("corner", [(3, 4), (-2, -1), (17, 13), (50, 50), (-50, 2)])
def test_bitmaps_are_cut_at_the_image(corner):
    bitmap = np.random.default_rng(0).random((5, 7)) > 0.5
    whole = np.zeros((16, 20), dtype=np.uint8)
    for y, x in np.argwhere(bitmap) + np.array(corner)[::-1]:
        if 0 <= y < 16 and 0 <= x < 20:
            whole[y, x] = 1
    rle = bitmap_rle(bitmap, corner, image_size=(20, 16))
    np.testing.assert_array_equal(coco_mask.decode(rle), whole)
    assert rle_area(rle) == whole.sum()
    if whole.any():
        ys, xs = np.nonzero(whole)
        assert rle_box(rle) == [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1]
