"""CARAFE (Wang et al. 2019): upsampling by a predicted kernel per output pixel.

features: (B, C, H, W)
masks: (B, group_size * kernel_size^2, H * s, W * s), s the scale factor
output: (B, C, H * s, W * s)
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from vitdet.compat.mmcv_ops.precision import kernel_dtype


def carafe_naive_forward(
    features: Tensor,
    masks: Tensor,
    output: Tensor,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Fill `output`: each pixel a weighted sum of the window around its source pixel."""
    dtype = kernel_dtype(features.dtype)
    features, masks = features.to(dtype), masks.to(dtype)
    padded, kernels = _padded(features, kernel_size), _kernels(masks, group_size, scale_factor)
    total = 0
    for tap, window in _windows(features, kernel_size):
        source = padded[window].unflatten(1, (group_size, -1))[:, :, :, :, None, :, None]
        total = total + source * kernels[:, :, tap, None]
    output.copy_(total.reshape(output.shape))


def carafe_naive_backward(
    top_grad: Tensor,
    features: Tensor,
    masks: Tensor,
    bottom_grad: Tensor,
    mask_grad: Tensor,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Fill `bottom_grad`, by the features, and `mask_grad`."""
    dtype = kernel_dtype(features.dtype)
    top_grad, features, masks = top_grad.to(dtype), features.to(dtype), masks.to(dtype)
    padded, kernels = _padded(features, kernel_size), _kernels(masks, group_size, scale_factor)
    gradient = _kernels(top_grad, group_size, scale_factor)  # (B, groups, C / groups, H, s, W, s)
    by_padded, by_kernels = torch.zeros_like(padded), torch.zeros_like(kernels)
    for tap, window in _windows(features, kernel_size):
        source = padded[window].unflatten(1, (group_size, -1))[:, :, :, :, None, :, None]
        by_kernels[:, :, tap] = (gradient * source).sum(dim=2)
        by_source = (gradient * kernels[:, :, tap, None]).sum(dim=(4, 6))
        by_padded[window] += by_source.flatten(1, 2)
    radius = (kernel_size - 1) // 2
    height, width = features.shape[2:]
    bottom_grad.copy_(by_padded[:, :, radius : radius + height, radius : radius + width])
    mask_grad.copy_(by_kernels.reshape(mask_grad.shape))


def carafe_forward(
    features: Tensor,
    masks: Tensor,
    rfeatures: Tensor,
    routput: Tensor,
    rmasks: Tensor,
    output: Tensor,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Fill `output`, and leave the features in `rfeatures`: the backward gets only that buffer."""
    rfeatures.copy_(features)
    carafe_naive_forward(features, masks, output, kernel_size, group_size, scale_factor)


def carafe_backward(
    top_grad: Tensor,
    rfeatures: Tensor,
    masks: Tensor,
    rtop_grad: Tensor,
    rbottom_grad_hs: Tensor,
    rbottom_grad: Tensor,
    rmask_grad: Tensor,
    bottom_grad: Tensor,
    mask_grad: Tensor,
    kernel_size: int,
    group_size: int,
    scale_factor: int,
) -> None:
    """Fill `bottom_grad`, by the features, and `mask_grad`."""
    carafe_naive_backward(
        top_grad, rfeatures, masks, bottom_grad, mask_grad, kernel_size, group_size, scale_factor
    )


def _padded(features: Tensor, kernel_size: int) -> Tensor:
    return F.pad(features, [(kernel_size - 1) // 2] * 4)


def _kernels(tensor: Tensor, group_size: int, scale_factor: int) -> Tensor:
    """(B, groups * n, H * s, W * s) to (B, groups, n, H, s, W, s)."""
    grouped = tensor.unflatten(1, (group_size, -1))
    return grouped.unflatten(4, (-1, scale_factor)).unflatten(3, (-1, scale_factor))


def _windows(features: Tensor, kernel_size: int) -> Iterator[tuple[int, tuple]]:
    """Every tap of the kernel and the part of the padded map that it sees."""
    height, width = features.shape[2:]
    for y in range(kernel_size):
        for x in range(kernel_size):
            window = (..., slice(y, y + height), slice(x, x + width))
            yield y * kernel_size + x, window
