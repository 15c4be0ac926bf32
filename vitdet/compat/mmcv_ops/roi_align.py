"""RoIAlign (He et al. 2017, Mask R-CNN, section 3), mean and maximum over the samples of a bin.

The mean is torchvision's kernel, on a CPU sums of rows (`roi_align_cpu.py`). Of the maximum that
kernel supplies the samples: RoIAlign with a bin for every sample. Rois with equal numbers of
samples go together.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from vitdet.compat.mmcv_ops.precision import kernel_dtype
from vitdet.compat.mmcv_ops.results import fill
from vitdet.compat.mmcv_ops.roi_align_cpu import Geometry, align, gradient, is_faster
from vitdet.compat.mmcv_ops.roi_grids import groups, samples_per_bin, scaled_corners

_MAX = 0  # the value of `pool_mode` that asks for the maximum
_EMPTY_BIN = -10000.0  # mmcv's maximum over no samples


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Fill `output`, and for the maximum `argmax_y` and `argmax_x`, the sample within its bin.

    input: (B, C, H, W)
    rois: (R, 5) index into the batch, x1, y1, x2, y2 in the image, `spatial_scale` to the map
    output, argmax_y, argmax_x: (R, C, aligned_height, aligned_width); argmax empty for the mean
    sampling_ratio: samples per bin and direction; 0 or less takes one per pixel of the map
    aligned: pixel centres lie at half-integers; if not, at integers, and rois span a pixel or more
    """
    dtype = kernel_dtype(input.dtype)
    input, rois = input.to(dtype), rois.to(dtype)
    if pool_mode != _MAX:
        size = (aligned_height, aligned_width)
        if is_faster(input):
            geometry = Geometry(size, spatial_scale, sampling_ratio, aligned)
            fill(output, lambda: align(input, rois, geometry))
            return
        kernel = torch.ops.torchvision.roi_align
        fill(output, lambda: kernel(input, rois, spatial_scale, *size, sampling_ratio, aligned))
        return
    _, size = scaled_corners(rois, spatial_scale, aligned)
    num_samples = samples_per_bin(size, (aligned_height, aligned_width), sampling_ratio)
    for (down, across), members in groups(num_samples):
        if down * across == 0:
            output[members] = _EMPTY_BIN
            continue
        rows, columns = aligned_height * down, aligned_width * across
        samples = torch.ops.torchvision.roi_align(
            input, rois[members], spatial_scale, rows, columns, 1, aligned
        )
        best, index = F.max_pool2d(samples, (down, across), return_indices=True)
        output[members] = best.to(output.dtype)
        argmax_y[members] = (index // columns % down).to(argmax_y.dtype)
        argmax_x[members] = (index % columns % across).to(argmax_x.dtype)


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Fill `grad_input` (B, C, H, W); the other shapes are those of the forward."""
    dtype = kernel_dtype(grad_output.dtype)
    grad_output, rois = grad_output.to(dtype), rois.to(dtype)
    if pool_mode != _MAX:
        if is_faster(grad_input):
            geometry = Geometry(
                (aligned_height, aligned_width), spatial_scale, sampling_ratio, aligned
            )
            shape = grad_input.shape  # which it gives up with its memory
            fill(grad_input, lambda: gradient(grad_output, rois, shape, geometry))
            return
        sizes = (aligned_height, aligned_width, *grad_input.shape)
        kernel = torch.ops.torchvision._roi_align_backward
        fill(
            grad_input,
            lambda: kernel(grad_output, rois, spatial_scale, *sizes, sampling_ratio, aligned),
        )
        return
    _, size = scaled_corners(rois, spatial_scale, aligned)
    num_samples = samples_per_bin(size, (aligned_height, aligned_width), sampling_ratio)
    bin_y = torch.arange(aligned_height, device=rois.device)[:, None]
    bin_x = torch.arange(aligned_width, device=rois.device)
    for (down, across), members in groups(num_samples):
        if down * across == 0:
            continue
        rows, columns = aligned_height * down, aligned_width * across
        y = bin_y * down + argmax_y[members].long()
        x = bin_x * across + argmax_x[members].long()
        by_sample = rois.new_zeros(*y.shape[:2], rows * columns)
        by_sample.scatter_(2, (y * columns + x).flatten(2), grad_output[members].flatten(2))
        grad_input += torch.ops.torchvision._roi_align_backward(
            by_sample.unflatten(2, (rows, columns)),
            rois[members],
            spatial_scale,
            rows,
            columns,
            *grad_input.shape,
            1,
            aligned,
        )
