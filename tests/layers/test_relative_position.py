import pytest
import torch

from vitdet.layers.relative_position import (
    log_spaced_offsets,
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


def test_log_spaced_offsets_follow_the_order_of_the_index() -> None:
    """Swin v2, eq. 4, scaled so that the largest offset in pre-training is log2(9) / 3."""
    offsets = log_spaced_offsets(3, 0)
    rows = offsets[relative_position_index(3)].view(9, 9, 2)
    near, far = torch.tensor([5.0, 9.0]).log2() / 3
    torch.testing.assert_close(rows[0, 5], torch.stack([-near, -far]))
    torch.testing.assert_close(rows[6, 0], torch.stack([far, torch.tensor(0.0)]))
    torch.testing.assert_close(log_spaced_offsets(2, 3)[0], -torch.stack([near, near]))
    assert log_spaced_offsets(1, 0).tolist() == [[0, 0]]
