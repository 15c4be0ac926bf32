"""Self-attention of a sequence."""

import pytest
import torch
from torch import nn

from vitdet.errors import UserError
from vitdet.layers import SelfAttention


def test_agrees_with_torchs_own() -> None:
    torch.manual_seed(0)
    peer = nn.MultiheadAttention(12, 3, batch_first=True)
    ours = SelfAttention(12, 3)
    ours.qkv.weight.data, ours.qkv.bias.data = peer.in_proj_weight.data, peer.in_proj_bias.data
    ours.proj.load_state_dict(peer.out_proj.state_dict())
    x = torch.randn(2, 5, 12)
    torch.testing.assert_close(ours(x), peer(x, x, x)[0])


def test_heads_must_divide_channels() -> None:
    with pytest.raises(UserError, match="12 channels do not divide among 5 heads"):
        SelfAttention(12, 5)


def test_last_tokens_alone() -> None:
    torch.manual_seed(0)
    attn, x = SelfAttention(12, 3), torch.randn(2, 9, 12)
    torch.testing.assert_close(attn(x, num_queries=4), attn(x)[:, -4:])
    weights = attn.weights(x, num_queries=4)
    assert weights.shape == (2, 3, 4, 9)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 4))
