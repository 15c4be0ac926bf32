"""Turned labels against Pillow, which turns the picture."""

import numpy as np
import pytest
from PIL import Image
from PIL.ImageOps import exif_transpose

from vitdet.data_check.turn import turned_annotation, turned_mask
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
