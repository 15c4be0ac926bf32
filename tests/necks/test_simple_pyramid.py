"""ViTDet's pyramid: sizes, gradients, and its place under heads."""

import pytest
import torch
from mmengine.registry import MODELS

from vitdet.errors import UserError
from vitdet.necks import SimpleFeaturePyramid


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (4, 4)])
@pytest.mark.parametrize("in_channels", [8, [4, 8]])
def test_levels_are_four_times_to_an_eighth_of_the_map(
    size: tuple[int, int], in_channels: int | list[int]
) -> None:
    neck = SimpleFeaturePyramid(in_channels, out_channels=6, num_outs=6)
    height, width = size
    levels = neck([torch.empty(0), torch.randn(2, 8, height, width)])
    expected = [(4 * height, 4 * width), (2 * height, 2 * width), (height, width)]
    for _ in range(3):
        expected.append(tuple(-(-side // 2) for side in expected[-1]))
    assert [tuple(level.shape) for level in levels] == [(2, 6, *shape) for shape in expected]


def test_every_parameter_gets_a_gradient() -> None:
    neck = SimpleFeaturePyramid(8, out_channels=6)
    levels = neck([torch.randn(2, 8, 3, 4)])
    sum(level.cos().mean() for level in levels).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in neck.parameters())


def test_levels_are_normalized_over_channels() -> None:
    neck = SimpleFeaturePyramid(16, out_channels=12)
    for level in neck([10 * torch.randn(1, 16, 3, 4)]):
        torch.testing.assert_close(level.mean(1), torch.zeros_like(level[:, 0]), rtol=0, atol=1e-5)
        assert (level.var(1, correction=0) - 1).abs().max() < 0.01


def test_too_few_levels_are_refused() -> None:
    with pytest.raises(UserError, match="num_outs 3 is less than the 4 levels"):
        SimpleFeaturePyramid(8, num_outs=3)


def test_text_configs_find_it() -> None:
    neck = MODELS.build(dict(type="vitdet.SimpleFeaturePyramid", in_channels=[8]))
    assert isinstance(neck, SimpleFeaturePyramid)
