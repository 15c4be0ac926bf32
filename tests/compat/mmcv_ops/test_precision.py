"""Half precision inputs, and autocast around the call, lose no more than one rounding."""

from collections.abc import Callable

import pytest
import torch
from mmcv.ops import (
    carafe,
    deform_conv2d,
    deform_roi_pool,
    modulated_deform_conv2d,
    roi_align,
    roi_pool,
    sigmoid_focal_loss,
)
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction
from torch import Tensor

ROIS = torch.tensor([[0, 2.0, 3.0, 17.0, 13.0], [1, 0.0, 1.0, 9.0, 7.5]])
SHAPES = torch.tensor([[4, 5], [2, 3]])
STARTS = torch.tensor([0, 20])

# Per op: the function, and the shapes of its floating point inputs.
OPS: dict[str, tuple[Callable[..., Tensor], list[tuple[int, ...]]]] = {
    "roi_align_avg": (
        lambda x: roi_align(x, ROIS.to(x.dtype), (2, 3), 0.5, 0, "avg", True),
        [(2, 3, 8, 9)],
    ),
    "roi_align_max": (
        lambda x: roi_align(x, ROIS.to(x.dtype), (2, 3), 0.5, 0, "max", True),
        [(2, 3, 8, 9)],
    ),
    "roi_pool": (lambda x: roi_pool(x, ROIS.to(x.dtype), (2, 3), 0.5), [(2, 3, 8, 9)]),
    "deform_roi_pool": (
        lambda x, offset: deform_roi_pool(x, ROIS.to(x.dtype), offset, (2, 3), 0.5, 2, 0.1),
        [(2, 3, 8, 9), (2, 2, 2, 3)],
    ),
    "deform_conv": (
        lambda x, offset, weight: deform_conv2d(x, offset, weight, 1, 1),
        [(2, 4, 5, 6), (2, 18, 5, 6), (4, 4, 3, 3)],
    ),
    "modulated_deform_conv": (
        lambda x, *rest: modulated_deform_conv2d(x, *rest, 1, 1),
        [(2, 4, 5, 6), (2, 18, 5, 6), (2, 9, 5, 6), (4, 4, 3, 3), (4,)],
    ),
    "sigmoid_focal_loss": (
        lambda x: sigmoid_focal_loss(x, torch.tensor([0, 2, 3]), 2.0, 0.25, None, "none"),
        [(3, 3)],
    ),
    "carafe": (lambda x, masks: carafe(x, masks, 3, 1, 2), [(1, 2, 4, 5), (1, 9, 8, 10)]),
    "ms_deform_attn": (
        lambda value, locations, weights: MultiScaleDeformableAttnFunction.apply(
            value, SHAPES, STARTS, locations, weights, 64
        ),
        [(2, 26, 2, 4), (2, 3, 2, 2, 2, 2), (2, 3, 2, 2, 2)],
    ),
}


def run(function: Callable[..., Tensor], inputs: list[Tensor], upstream: Tensor) -> list[Tensor]:
    """The output and the gradients by all inputs."""
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    output = function(*leaves)
    return [output.detach(), *torch.autograd.grad(output, leaves, upstream.to(output.dtype))]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", OPS)
def test_half_precision_is_float32_rounded(name: str, dtype: torch.dtype) -> None:
    function, shapes = OPS[name]
    torch.manual_seed(0)
    inputs = [torch.randn(shape).to(dtype) for shape in shapes]
    upstream = torch.randn_like(function(*inputs))

    half = run(function, inputs, upstream)
    full = run(function, [tensor.float() for tensor in inputs], upstream)

    unit = torch.finfo(dtype).eps
    for got, expected in zip(half, full, strict=True):
        assert got.dtype == dtype
        torch.testing.assert_close(got.float(), expected, rtol=4 * unit, atol=4 * unit)


@pytest.mark.parametrize("name", OPS)
def test_autocast_changes_nothing(name: str) -> None:
    function, shapes = OPS[name]
    torch.manual_seed(0)
    inputs = [torch.randn(shape) for shape in shapes]
    upstream = torch.randn_like(function(*inputs))

    plain = run(function, inputs, upstream)
    with torch.autocast("cpu", torch.bfloat16):
        under_autocast = run(function, inputs, upstream)

    torch.testing.assert_close(under_autocast, plain, rtol=0, atol=0)
