"""Turned and resized labels against Pillow, which turns and resizes the picture."""

import numpy as np
import pytest
from PIL import Image
from PIL.ImageOps import exif_transpose

from vitdet.data_check.moved_labels import (
    resized_annotation,
    turned_annotation,
    turned_mask,
)
from vitdet.evaluation.rle import decode_masks, encode_masks


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_box_polygon_and_mask_follow_the_image(orientation: int) -> None:
    mask = np.zeros((30, 50), dtype=np.uint8)
    mask[4:10, 20:45] = 255
    picture = Image.fromarray(mask)
    exif = picture.getexif()
    exif[0x0112] = orientation
    upright = np.array(exif_transpose(picture)) > 0
    annotation = {
        "bbox": [20, 4, 25, 6],
        "segmentation": [[20, 4, 45, 4, 45, 10, 20, 10]],
    }
    turned = turned_annotation(annotation, (50, 30), orientation)
    rows, columns = np.nonzero(upright)
    box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
    assert turned["bbox"] == box
    xs, ys = turned["segmentation"][0][::2], turned["segmentation"][0][1::2]
    assert [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)] == box
    assert np.array_equal(turned_mask(mask > 0, orientation), upright)
    coded = {**annotation, "segmentation": encode_masks(mask[None])[0]}
    turned = turned_annotation(coded, (50, 30), orientation)
    assert np.array_equal(decode_masks([turned["segmentation"]], 50, 30)[0], upright)
    assert annotation["bbox"] == [20, 4, 25, 6]


@pytest.mark.parametrize("factor", [2, 0.5])
def test_resized_labels_follow_the_image(factor: float) -> None:
    mask = np.zeros((30, 50), dtype=np.uint8)
    mask[4:10, 20:44] = 255
    new_size = (int(50 * factor), int(30 * factor))
    small = np.array(Image.fromarray(mask).resize(new_size, Image.Resampling.NEAREST)) > 0
    polygon = [20.0, 4.0, 44.0, 4.0, 44.0, 10.0, 20.0, 10.0]
    annotation = {"bbox": [20, 4, 24, 6], "segmentation": [polygon], "area": 144}
    resized = resized_annotation(annotation, (50, 30), new_size)
    rows, columns = np.nonzero(small)
    box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
    assert resized["bbox"] == box and resized["area"] == small.sum()
    assert resized["segmentation"][0] == [value * factor for value in polygon]
    coded = {**annotation, "segmentation": encode_masks(mask[None])[0]}
    resized = resized_annotation(coded, (50, 30), new_size)
    assert np.array_equal(decode_masks([resized["segmentation"]], *new_size[::-1])[0], small)
