"""RoIAlign (He et al., Mask R-CNN, section 3), mean and maximum over the samples of a bin.

The mean is torchvision's kernel. The maximum, which torchvision lacks and no published model uses,
is written for clarity: one roi after the other, interpolation as two matrix products.
"""

import torch
from torch import Tensor

from vitdet.compat.mmcv_ops.precision import kernel_dtype
from vitdet.compat.mmcv_ops.roi_samples import interpolation_weights, sample_positions

_MAX = 0  # the value of `pool_mode` that asks for the maximum
_EMPTY_BIN = -10000.0  # mmcv's maximum over no samples
_NO_SAMPLE = -2.0  # coordinate that lies outside any map, so that no gradient flows


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
    """Fill `output`, and for the maximum the sample coordinates `argmax_y`, `argmax_x`.

    input: (B, C, H, W)
    rois: (R, 5) index into the batch, x1, y1, x2, y2 in the image, `spatial_scale` to the map
    output, argmax_y, argmax_x: (R, C, aligned_height, aligned_width); argmax empty for the mean
    sampling_ratio: samples per bin and direction; 0 or less takes one per pixel of the map
    aligned: pixel centres lie at half-integers; if not, at integers, and rois span a pixel or more
    """
    dtype = kernel_dtype(input.dtype)
    input, rois = input.to(dtype), rois.to(dtype)
    if pool_mode != _MAX:
        pooled = torch.ops.torchvision.roi_align(
            input, rois, spatial_scale, aligned_height, aligned_width, sampling_ratio, aligned
        )
        output.copy_(pooled)
        return
    positions = sample_positions(
        rois, aligned_height, aligned_width, spatial_scale, sampling_ratio, aligned
    )
    for r, (image, ys, xs) in enumerate(positions):
        if ys.numel() == 0 or xs.numel() == 0:
            output[r], argmax_y[r], argmax_x[r] = _EMPTY_BIN, _NO_SAMPLE, _NO_SAMPLE
            continue
        rows, columns = (
            interpolation_weights(ys, input.size(2)),
            interpolation_weights(xs, input.size(3)),
        )
        samples = rows.flatten(0, 1) @ input[image] @ columns.flatten(0, 1).T
        samples = samples.unflatten(2, xs.shape).unflatten(1, ys.shape)  # (C, ph, gh, pw, gw)
        best, index = samples.transpose(2, 3).flatten(3).max(dim=3)
        bin_y = torch.arange(aligned_height, device=ys.device)[:, None]
        bin_x = torch.arange(aligned_width, device=xs.device)
        output[r] = best
        argmax_y[r] = ys[bin_y, index // xs.size(1)]
        argmax_x[r] = xs[bin_x, index % xs.size(1)]


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
        gradient = torch.ops.torchvision._roi_align_backward(
            grad_output,
            rois,
            spatial_scale,
            aligned_height,
            aligned_width,
            *grad_input.shape,
            sampling_ratio,
            aligned,
        )
        grad_input.copy_(gradient)
        return
    for r, image in enumerate(rois[:, 0].long().tolist()):
        rows = interpolation_weights(
            argmax_y[r].to(dtype).flatten(1), grad_input.size(2)
        )  # (C, bins, H)
        columns = interpolation_weights(
            argmax_x[r].to(dtype).flatten(1), grad_input.size(3)
        )  # (C, bins, W)
        weighted = rows * grad_output[r].flatten(1)[:, :, None]
        grad_input[image] += (weighted.transpose(1, 2) @ columns).to(grad_input.dtype)
