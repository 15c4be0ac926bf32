"""Windows against plain rolls, loops and region labels."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vitdet.layers.windows import (
    cut_windows,
    join_windows,
    pad_and_shift,
    shift_mask,
    shift_mask_patterns,
    unshift_and_crop,
)

SIZES = [(8, 12), (9, 13), (1, 5), (2, 1), (4, 4), (3, 2)]


def padded_and_rolled(x: Tensor, window_size: int, shift: int) -> Tensor:
    pad_bottom, pad_right = (-side % window_size for side in x.shape[1:3])
    x = F.pad(x, (0, 0, 0, pad_right, 0, pad_bottom))
    return x.roll((-shift, -shift), (1, 2))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("window_size", "shift"), [(4, 0), (4, 2), (7, 3), (1, 0)])
def test_shift_equals_pad_and_roll(size: tuple[int, int], window_size: int, shift: int) -> None:
    x = torch.randn(2, *size, 3, requires_grad=True)
    shifted = pad_and_shift(x, window_size, shift)
    assert torch.equal(shifted, padded_and_rolled(x, window_size, shift))
    assert torch.equal(unshift_and_crop(shifted, size, window_size, shift), x)
    weight = torch.randn_like(shifted)
    (gradient,) = torch.autograd.grad((shifted * weight).sum(), x)
    assert torch.equal(gradient, unshift_and_crop(weight, size, window_size, shift))


@pytest.mark.parametrize("size", [(4, 4), (4, 12), (12, 8), (16, 16)])
@pytest.mark.parametrize("shift", [1, 2, 3])
def test_mask_parts_what_the_roll_brought_together(size: tuple[int, int], shift: int) -> None:
    """Two tokens of a window are neighbours if the roll moved both or neither, along each axis."""
    window = 4
    height, width = size
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    position = torch.stack([rows, columns], -1)[None]
    rolled = position.roll((-shift, -shift), (1, 2))
    came_around = (rolled < position).view(1, height, width, 1, 2)
    region = cut_windows(came_around, window)[0, :, 0]  # (num_windows, N, 2)
    apart = (region[:, :, None] != region[:, None, :]).any(-1)

    mask = shift_mask(shift_mask_patterns(window, shift), height // window, width // window)
    assert mask.shape == apart.shape
    assert torch.equal(mask, apart * -100.0)


def test_cut_and_join() -> None:
    x = torch.randn(2, 6, 9, 4, 5)
    windows = cut_windows(x, 3)
    assert windows.shape == (2, 6, 4, 9, 5)
    for row in range(2):
        for column in range(3):
            piece = x[:, 3 * row : 3 * row + 3, 3 * column : 3 * column + 3].flatten(1, 2)
            assert torch.equal(windows[:, 3 * row + column], piece.transpose(1, 2))
    assert torch.equal(join_windows(windows, (6, 9), 3), x.flatten(3))
