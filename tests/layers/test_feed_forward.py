import torch
from torch import nn

from vitdet.layers import FeedForward


def test_is_two_layers_with_exact_gelu() -> None:
    mlp = FeedForward(4, 12)
    reference = nn.Sequential(mlp.fc1, nn.GELU(approximate="none"), mlp.fc2)
    x = torch.randn(2, 3, 5, 4)
    assert torch.equal(mlp(x), reference(x))
