"""The cross of Sequencer2D's hidden states."""

import torch

from vitdet.backbones import Sequencer2D
from vitdet.insight.hidden_states import DIRECTIONS, capture_hidden_states, lstm_blocks


def test_each_direction_sees_its_half_of_the_cross() -> None:
    torch.manual_seed(0)
    backbone = Sequencer2D(
        embed_dims=(8, 8),
        depths=(1, 1),
        hidden_sizes=(4, 4),
        patch_sizes=(4, 2),
        out_indices=(0, 1),
        out_strides=None,
    ).eval()
    with torch.no_grad(), capture_hidden_states(backbone) as states:
        plain = backbone(torch.randn(1, 3, 32, 40))
    assert list(states) == list(lstm_blocks(backbone)) == ["stages.0.blocks.0", "stages.1.blocks.0"]
    assert not any(module._forward_pre_hooks for module in backbone.modules())
    for state, one, stride in zip(states.values(), plain, (4, 8), strict=True):
        assert (state.grid.height, state.grid.width) == one.shape[2:]
        assert state.grid.stride == stride
    row, column = 3, 6
    maps = states["stages.0.blocks.0"].of_place(row, column)
    torch.testing.assert_close(maps.sum((1, 2)), torch.ones(4))
    expected = torch.zeros(4, 8, 10, dtype=torch.bool)
    expected[0, : row + 1, column] = True  # downwards: what stands above
    expected[1, row:, column] = True
    expected[2, row, : column + 1] = True
    expected[3, row, column:] = True
    assert torch.equal(maps > 0, expected), DIRECTIONS
