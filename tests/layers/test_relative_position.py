import pytest
import torch

from vitdet.layers.relative_position import (
    relative_position_bias,
    relative_position_index,
    resize_relative_position_table,
)


@pytest.mark.parametrize("window_size", [1, 3, 4])
def test_bias_depends_on_the_offset_alone(window_size: int) -> None:
    side = 2 * window_size - 1
    table = torch.randn(side * side, 2)
    bias = relative_position_bias(table, relative_position_index(window_size))
    num_tokens = window_size**2
    assert bias.shape == (2, num_tokens, num_tokens)
    grid = table.view(side, side, 2)
    for query in range(num_tokens):
        for key in range(num_tokens):
            dy = query // window_size - key // window_size + window_size - 1
            dx = query % window_size - key % window_size + window_size - 1
            assert torch.equal(bias[:, query, key], grid[dy, dx])


def test_resizing_keeps_a_plane_in_the_middle() -> None:
    """Away from the border bicubic interpolation keeps a linear function, but for a few percent."""
    old, new = 13, 23
    ramp = torch.linspace(-1 + 1 / old, 1 - 1 / old, old)
    table = (ramp[:, None] + 2 * ramp[None, :]).reshape(-1, 1)
    resized = resize_relative_position_table(table, 12).view(new, new)
    ramp = torch.linspace(-1 + 1 / new, 1 - 1 / new, new)
    expected = ramp[:, None] + 2 * ramp[None, :]
    torch.testing.assert_close(resized[4:-4, 4:-4], expected[4:-4, 4:-4], rtol=0, atol=4e-2)


def test_resizing_to_the_same_window_changes_nothing() -> None:
    table = torch.randn(49, 3)
    torch.testing.assert_close(resize_relative_position_table(table, 4), table)
