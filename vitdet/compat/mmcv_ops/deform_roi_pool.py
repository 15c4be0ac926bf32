"""Deformable RoI pooling (Dai et al. 2017): RoIAlign whose bins are moved by learned offsets."""

import torch
from torch import Tensor

from vitdet.compat.mmcv_ops.precision import kernel_dtype
from vitdet.compat.mmcv_ops.roi_samples import interpolation_weights, sample_positions


def deform_roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    offset: Tensor,
    output: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    gamma: float,
) -> None:
    """Fill `output` (R, C, pooled_height, pooled_width).

    input: (B, C, H, W)
    rois: (R, 5) index into the batch, x1, y1, x2, y2 in the image, `spatial_scale` to the map
    offset: (R, 2, pooled_height, pooled_width) x and y, times `gamma` in sizes of the roi; or empty
    sampling_ratio: samples per bin and direction; 0 or less takes one per pixel of the map
    """
    dtype = kernel_dtype(input.dtype)
    input, rois, offset = input.to(dtype), rois.to(dtype), offset.to(dtype)
    size = tuple(output.shape[2:])
    output.copy_(_pool(input, rois, offset, size, spatial_scale, sampling_ratio, gamma))


def deform_roi_pool_backward(
    grad_output: Tensor,
    input: Tensor,
    rois: Tensor,
    offset: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    gamma: float,
) -> None:
    """Fill `grad_input` and `grad_offset`.

    The offset's is the true derivative, 0 in the strip where positions are clamped to the border;
    mmcv's CUDA kernel extrapolates there.
    """
    if rois.size(0) == 0:
        return  # both are zeros already
    dtype = kernel_dtype(input.dtype)
    size = tuple(grad_output.shape[2:])
    input = input.detach().to(dtype).requires_grad_()
    offset = offset.detach().to(dtype).requires_grad_()
    with torch.enable_grad():
        pooled = _pool(input, rois.to(dtype), offset, size, spatial_scale, sampling_ratio, gamma)
    by_input, by_offset = torch.autograd.grad(
        pooled, (input, offset), grad_output.to(dtype), materialize_grads=True
    )
    grad_input.copy_(by_input)
    grad_offset.copy_(by_offset)


def _pool(
    input: Tensor,
    rois: Tensor,
    offset: Tensor,
    output_size: tuple[int, int],
    spatial_scale: float,
    sampling_ratio: int,
    gamma: float,
) -> Tensor:
    """(R, C, *output_size); the mean of bilinear samples is a product of mean weights."""
    if offset.numel() == 0:
        offset = offset.new_zeros(rois.size(0), 2, *output_size)
    roi_size = (rois[:, 3:] - rois[:, 1:3]) * spatial_scale
    shift = gamma * roi_size[:, :, None, None] * offset
    positions = sample_positions(rois, *output_size, spatial_scale, sampling_ratio, aligned=True)
    pooled = [input.new_empty(0, input.size(1), *output_size)]
    for (image, ys, xs), (shift_x, shift_y) in zip(positions, shift, strict=True):
        rows = _mean_weights(ys[:, None] + shift_y[:, :, None], input.size(2))
        columns = _mean_weights(xs + shift_x[:, :, None], input.size(3))
        pooled.append(torch.einsum("pqh,chw,pqw->cpq", rows, input[image], columns)[None])
    return torch.cat(pooled)


def _mean_weights(positions: Tensor, num_pixels: int) -> Tensor:
    """(ph, pw, num_pixels) from the positions (ph, pw, n) of the n samples of each bin."""
    weights = interpolation_weights(positions, num_pixels)
    return weights.sum(dim=2) / max(positions.size(2), 1)
