"""Layer norm of maps."""

import torch
from mmcv.cnn import build_norm_layer

from vitdet.layers import LayerNorm2d


def test_every_position_is_normalized_over_its_channels() -> None:
    norm = LayerNorm2d(6)
    torch.nn.init.normal_(norm.weight)
    x = torch.randn(2, 6, 3, 4)
    centred = x - x.mean(1, keepdim=True)
    expected = centred / (x.var(1, correction=0, keepdim=True) + 1e-6).sqrt()
    torch.testing.assert_close(norm(x), expected * norm.weight[:, None, None])


def test_mmcv_builds_it_as_a_layer_norm() -> None:
    name, norm = build_norm_layer(dict(type="vitdet.LayerNorm2d", eps=1e-6), 4)
    assert name == "ln" and isinstance(norm, LayerNorm2d) and norm.eps == 1e-6
