import pytest
import torch
import torch.nn.functional as F

from vitdet.layers import ConvFeedForward


@pytest.mark.parametrize("has_relu", [False, True])
@pytest.mark.parametrize("size", [(5, 7), (1, 1)])
def test_it_is_the_published_order_of_layers(has_relu: bool, size: tuple[int, int]) -> None:
    layer = ConvFeedForward(4, 12, has_relu=has_relu)
    x = torch.randn(2, *size, 4)
    hidden = F.linear(x, layer.fc1.weight, layer.fc1.bias)
    hidden = hidden.clamp(min=0) if has_relu else hidden
    hidden = layer.dwconv(hidden.permute(0, 3, 1, 2).contiguous())
    expected = layer.fc2(F.gelu(hidden).permute(0, 2, 3, 1))
    torch.testing.assert_close(layer(x), expected)


def test_maps_stay_channels_last() -> None:
    assert ConvFeedForward(4, 12)(torch.randn(2, 5, 7, 4)).is_contiguous()
