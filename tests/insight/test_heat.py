"""Shares of tokens on the pixels that the tokens stand for."""

import numpy as np
import torch

from vitdet.insight.heat import draw_heat, mark_point, resized, to_pixels
from vitdet.insight.token_layout import Grid


def test_a_token_covers_its_pixels_and_padding_is_cut_off() -> None:
    shares = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    pixels = to_pixels(shares, Grid(2, 2, 4), (6, 9))
    assert pixels.shape == (6, 9)
    assert (pixels[:4, :4] == 1).all()
    assert (pixels[:4, 4:8] == 2).all()
    assert (pixels[4:, :4] == 3).all()
    assert (pixels[:, 8] == 0).all()  # dropped by the patch embedding


def test_heat_shows_where_the_most_is() -> None:
    image = np.full((8, 8, 3), 200, np.uint8)
    heat = np.zeros((8, 8), np.float32)
    heat[2:4, 4:6] = 0.001  # however little it is of the whole
    drawn = np.asarray(draw_heat(image, heat, side=80)).astype(int).sum(-1)
    assert drawn.shape == (80, 80)
    assert drawn[30, 50] > 2 * drawn[60, 10]
    assert (np.asarray(draw_heat(image, 0 * heat, side=80)) < 120).all()  # nothing: no division


def test_ring_lies_around_its_point() -> None:
    picture = resized(np.zeros((20, 40, 3), np.uint8), 200)
    assert picture.size == (200, 100)
    mark_point(picture, (0.25, 0.5))
    rows, columns = np.asarray(picture).any(-1).nonzero()
    assert abs(rows.mean() - 50) < 1
    assert abs(columns.mean() - 50) < 1
