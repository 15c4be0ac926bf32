"""Multi-scale deformable attention against mmcv's own composition of `grid_sample`."""

import torch
from mmcv.ops.multi_scale_deform_attn import (
    MultiScaleDeformableAttnFunction,
    multi_scale_deformable_attn_pytorch,
)

# What mmcv composes of `grid_sample`, under what vitdet puts in its place.
composed = multi_scale_deformable_attn_pytorch.__wrapped__
SHAPES = torch.tensor([[6, 7], [3, 4], [1, 2]])
STARTS = torch.tensor([0, 42, 54])


def test_matches_the_composition() -> None:
    torch.manual_seed(0)
    value = torch.randn(2, 56, 3, 4, dtype=torch.float64, requires_grad=True)
    locations = torch.rand(2, 5, 3, 3, 2, 2, dtype=torch.float64) * 1.4 - 0.2
    locations.requires_grad_()
    weights = torch.rand(2, 5, 3, 3, 2, dtype=torch.float64, requires_grad=True)

    output = MultiScaleDeformableAttnFunction.apply(value, SHAPES, STARTS, locations, weights, 64)
    expected = composed(value, SHAPES, locations, weights)

    torch.testing.assert_close(output, expected)
    upstream, leaves = torch.randn_like(output), (value, locations, weights)
    torch.testing.assert_close(
        torch.autograd.grad(output, leaves, upstream),
        torch.autograd.grad(expected, leaves, upstream),
    )


def test_no_queries() -> None:
    value = torch.randn(2, 56, 3, 4, requires_grad=True)
    output = MultiScaleDeformableAttnFunction.apply(
        value, SHAPES, STARTS, torch.rand(2, 0, 3, 3, 2, 2), torch.rand(2, 0, 3, 3, 2), 64
    )
    assert output.shape == (2, 0, 12)
    output.sum().backward()
    assert not value.grad.any()
