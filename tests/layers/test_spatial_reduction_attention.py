import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vitdet.errors import UserError
from vitdet.layers import SpatialReductionAttention


def by_hand(layer: SpatialReductionAttention, x: Tensor) -> Tensor:
    """As the papers' equations say, one head after another."""
    channels_first = x.permute(0, 3, 1, 2)
    reduced = x
    if layer.is_linear:
        reduced = layer.sr(F.adaptive_avg_pool2d(channels_first.contiguous(), 7))
        reduced = F.gelu(layer.norm(reduced.permute(0, 2, 3, 1)))
    elif layer.sr is not None:
        reduced = layer.norm(layer.sr(channels_first).permute(0, 2, 3, 1))
    key, value = layer.kv(reduced.flatten(1, 2)).chunk(2, dim=-1)
    heads = []
    for q, k, v in zip(
        *(part.chunk(layer.num_heads, -1) for part in (layer.q(x).flatten(1, 2), key, value)),
        strict=True,
    ):
        heads.append((q @ k.transpose(1, 2) / q.shape[-1] ** 0.5).softmax(-1) @ v)
    return layer.proj(torch.cat(heads, -1)).view_as(x)


@pytest.mark.parametrize(
    "options", [{}, {"sr_ratio": 2}, {"sr_ratio": 3, "qkv_bias": False}, {"is_linear": True}]
)
@pytest.mark.parametrize("size", [(8, 6), (5, 9)])
def test_it_is_the_published_attention(options: dict, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    layer = SpatialReductionAttention(8, 2, **options)
    x = torch.randn(2, *size, 8)
    torch.testing.assert_close(layer(x), by_hand(layer, x), rtol=1e-4, atol=1e-5)


def test_tokens_without_a_map_where_nothing_is_reduced() -> None:
    layer = SpatialReductionAttention(8, 2)
    x = torch.randn(2, 3, 4, 8)
    torch.testing.assert_close(layer(x.flatten(1, 2)), layer(x).flatten(1, 2))


@pytest.mark.parametrize("options", [{"sr_ratio": 8}, {"is_linear": True}])
def test_maps_smaller_than_the_reduction(options: dict) -> None:
    layer = SpatialReductionAttention(8, 2, **options)
    for size in ((1, 1), (3, 17)):
        assert layer(torch.randn(1, *size, 8)).isfinite().all()


def test_heads_that_do_not_divide_the_channels() -> None:
    with pytest.raises(UserError, match="8 channels do not divide among 3 heads"):
        SpatialReductionAttention(8, 3)
