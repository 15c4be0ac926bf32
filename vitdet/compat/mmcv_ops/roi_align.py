"""RoIAlign (He et al., Mask R-CNN, section 3), mean and maximum over the samples of a bin.

The mean is torchvision's kernel. The maximum, which torchvision lacks and no published model uses,
is written for clarity: one roi after the other, interpolation as two matrix products.
"""

import torch
from torch import Tensor

from vitdet.compat.mmcv_ops.precision import kernel_dtype

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
    positions = _sample_positions(
        rois, aligned_height, aligned_width, spatial_scale, sampling_ratio, aligned
    )
    for r, (image, ys, xs) in enumerate(positions):
        if ys.numel() == 0 or xs.numel() == 0:
            output[r], argmax_y[r], argmax_x[r] = _EMPTY_BIN, _NO_SAMPLE, _NO_SAMPLE
            continue
        rows, columns = _hat(ys, input.size(2)), _hat(xs, input.size(3))
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
        rows = _hat(argmax_y[r].to(dtype).flatten(1), grad_input.size(2))  # (C, bins, H)
        columns = _hat(argmax_x[r].to(dtype).flatten(1), grad_input.size(3))  # (C, bins, W)
        weighted = rows * grad_output[r].flatten(1)[:, :, None]
        grad_input[image] += (weighted.transpose(1, 2) @ columns).to(grad_input.dtype)


def _sample_positions(
    rois: Tensor,
    height: int,
    width: int,
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> list[tuple[int, Tensor, Tensor]]:
    """Per roi its image, sample rows (height, n) and sample columns (width, m), map pixels."""
    corners = rois[:, 1:] * spatial_scale - (0.5 if aligned else 0.0)
    size = corners[:, 2:] - corners[:, :2]
    if not aligned:
        size = size.clamp(min=1)
    bins = size / size.new_tensor([width, height])
    if sampling_ratio > 0:
        counts = torch.full_like(bins, sampling_ratio)
    else:
        counts = bins.ceil().clamp(min=0)

    def spread(start: Tensor, bin_size: Tensor, num_bins: int, count: int) -> Tensor:
        steps = torch.arange(num_bins * count, device=start.device, dtype=start.dtype) + 0.5
        return (start + bin_size * steps / max(count, 1)).view(num_bins, count)

    images = rois[:, 0].long().tolist()
    return [
        (
            image,
            spread(corners[r, 1], bins[r, 1], height, int(count_y)),
            spread(corners[r, 0], bins[r, 0], width, int(count_x)),
        )
        for r, (image, (count_x, count_y)) in enumerate(zip(images, counts.tolist(), strict=True))
    ]


def _hat(positions: Tensor, size: int) -> Tensor:
    """Weights (*, size) of linear interpolation between `size` pixels at `positions` (*,).

    A position up to one pixel outside counts as the border; beyond that all weights are 0.
    """
    inside = (positions >= -1) & (positions <= size)
    pixels = torch.arange(size, device=positions.device, dtype=positions.dtype)
    distance = (positions.clamp(0, size - 1)[..., None] - pixels).abs()
    return (1 - distance).clamp(min=0) * inside[..., None]
