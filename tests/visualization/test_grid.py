import numpy as np
import pytest
from PIL import Image

from vitdet.visualization import image_grid

RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.mark.parametrize("titles", [(), ("ground truth", "prediction")])
def test_pictures_keep_their_shape_inside_their_cells(titles):
    wide, high = Image.new("RGB", (400, 100), RED), Image.new("RGB", (10, 40), BLUE)
    sheet = image_grid([[wide, high], [high]], titles=titles, cell_size=(200, 100))
    pixels = np.asarray(sheet)
    red = np.argwhere((pixels == RED).all(axis=2))
    height, width = red.max(axis=0) - red.min(axis=0) + 1
    assert (width, height) == (200, 50)
    assert (pixels == BLUE).all(axis=2).sum() == 2 * 25 * 100
    plain = image_grid([[wide, high], [high]], cell_size=(200, 100))
    assert sheet.width == plain.width
    assert (sheet.height > plain.height) == bool(titles)


def test_titles_stand_above_their_columns():
    cell = Image.new("RGB", (60, 60), RED)
    titles = image_grid([[cell, cell]], titles=("", "second"), cell_size=(120, 60))
    ink = np.argwhere((np.asarray(titles) < 100).all(axis=2))
    assert len(ink)
    assert ink[:, 1].min() > 128
    assert ink[:, 0].max() < titles.height - 60


def test_rows_of_wide_pictures_leave_no_gap():
    wide = Image.new("RGB", (400, 100), RED)
    one, two = image_grid([[wide]]), image_grid([[wide], [wide]])
    assert one.width == two.width
    assert two.height - one.height == 480 / 4 + 8
