import pytest
import torch
from torch import nn

from vitdet.errors import UserError
from vitdet.layers import WindowAttention
from vitdet.layers.windows import shift_mask, shift_mask_patterns


def test_single_window_equals_multi_head_attention() -> None:
    """Without bias, a map of one window is torch's own multi-head attention."""
    layer = WindowAttention(8, 2, window_size=4)
    nn.init.zeros_(layer.relative_position_bias_table)
    reference = nn.MultiheadAttention(8, 2, batch_first=True)
    reference.load_state_dict(
        {
            "in_proj_weight": layer.qkv.weight,
            "in_proj_bias": layer.qkv.bias,
            "out_proj.weight": layer.proj.weight,
            "out_proj.bias": layer.proj.bias,
        }
    )
    x = torch.randn(3, 4, 4, 8)
    tokens = x.flatten(1, 2)
    expected = reference(tokens, tokens, tokens)[0].view(x.shape)
    torch.testing.assert_close(layer(x), expected)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("batch", [1, 3])
def test_gradients_agree_with_finite_differences(batch: int) -> None:
    torch.manual_seed(0)
    layer = WindowAttention(4, 2, window_size=2, shift=1).double()
    mask = shift_mask(shift_mask_patterns(2, 1), 2, 2)
    x = torch.randn(batch, 3, 4, 4, dtype=torch.float64, requires_grad=True)

    def run(x: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
        state = {"relative_position_bias_table": table}
        return torch.func.functional_call(layer, state, (x, mask))

    table = torch.randn(9, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(run, (x, table))


def test_heads_must_divide_channels() -> None:
    with pytest.raises(UserError, match="10 channels do not divide among 3 heads"):
        WindowAttention(10, 3, window_size=4)
