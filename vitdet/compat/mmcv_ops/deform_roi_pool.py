"""Deformable RoI pooling (Dai et al. 2017): RoIAlign whose bins are moved by learned offsets."""

import torch
import torch.nn.functional as F
from torch import Tensor

from vitdet.compat.mmcv_ops.precision import kernel_dtype
from vitdet.compat.mmcv_ops.roi_grids import groups, samples_per_bin, scaled_corners


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
    """(R, C, *output_size), differentiable by `input` and `offset`."""
    start, size = scaled_corners(rois, spatial_scale, aligned=True)
    if offset.numel() == 0:
        offset = offset.new_zeros(rois.size(0), 2, *output_size)
    shift = gamma * size[:, :, None, None] * offset
    pooled = input.new_zeros(rois.size(0), input.size(1), *output_size)
    num_samples = samples_per_bin(size, output_size, sampling_ratio)
    images = rois[:, :1].long()
    for (image, down, across), members in groups(torch.cat([images, num_samples], dim=1)):
        if down * across == 0:
            continue
        x = _regular(start[members, 0], size[members, 0], output_size[1], across)
        y = _regular(start[members, 1], size[members, 1], output_size[0], down)
        x = x[:, None, :, None, :] + shift[members, 0, :, :, None, None]
        y = y[:, :, None, :, None] + shift[members, 1, :, :, None, None]
        samples = _sample(input[image], torch.stack(torch.broadcast_tensors(x, y), dim=-1))
        pooled[members] = samples.mean(dim=(4, 5)).transpose(0, 1)
    return pooled


def _regular(start: Tensor, size: Tensor, num_bins: int, count: int) -> Tensor:
    """Positions (r, num_bins, count) of the samples of bins that are not moved, along one axis."""
    steps = torch.arange(num_bins * count, device=start.device) + 0.5
    positions = start[:, None] + size[:, None] / (num_bins * count) * steps
    return positions.unflatten(1, (num_bins, count))


def _sample(feature_map: Tensor, positions: Tensor) -> Tensor:
    """Bilinear samples (C, *) of the map (C, H, W) at `positions` (*, 2), x before y, in pixels.

    A position up to one pixel outside counts as the border; beyond that the sample is 0.
    """
    size = positions.new_tensor([feature_map.size(2), feature_map.size(1)])
    inside = ((positions >= -1) & (positions <= size)).all(dim=-1)
    grid = ((2 * positions + 1) / size - 1).view(1, 1, -1, 2)
    samples = F.grid_sample(feature_map[None], grid, padding_mode="border", align_corners=False)
    return samples.view(-1, *inside.shape) * inside
