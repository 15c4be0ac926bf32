import pytest
import torch
from torch import nn

from vitdet.errors import UserError
from vitdet.layers import MultiHeadAttention


@pytest.mark.parametrize("is_self_attention", [True, False])
def test_is_torchs(is_self_attention: bool) -> None:
    torch.manual_seed(0)
    peer, layer = nn.MultiheadAttention(8, 2, batch_first=True), MultiHeadAttention(8, 2)
    names = {"in_proj_weight": "qkv.weight", "in_proj_bias": "qkv.bias"}
    state = {names.get(k, k.replace("out_proj", "proj")): v for k, v in peer.state_dict().items()}
    layer.load_state_dict(state)
    query = torch.randn(3, 4, 8)
    key = query if is_self_attention else torch.randn(3, 5, 8)
    value, is_hidden = torch.randn(key.shape), torch.zeros(3, key.shape[1], dtype=torch.bool)
    is_hidden[1, 2:] = True
    bias = torch.zeros(is_hidden.shape).masked_fill(is_hidden, float("-inf"))[:, None, None]
    expected, expected_weights = peer(
        query, key, value, key_padding_mask=is_hidden, average_attn_weights=False
    )
    weights: list[torch.Tensor] = []
    torch.testing.assert_close(layer(query, key, value, bias=bias), expected)
    torch.testing.assert_close(layer(query, key, value, bias=bias, weights=weights), expected)
    torch.testing.assert_close(weights[0], expected_weights)


def test_heads_that_do_not_divide() -> None:
    with pytest.raises(UserError, match="10 channels do not divide among 4 heads"):
        MultiHeadAttention(10, 4)
