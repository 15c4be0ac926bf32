"""RoIPool (Girshick 2015), in mmcv's definition, which rounds bins but not the roi.

torchvision's operator of the same name rounds the roi's corners first and gives other numbers.
"""

import torch
from torch import Tensor

from vitdet.compat.mmcv_ops.precision import kernel_dtype

_EMPTY = -1  # argmax of a bin without pixels


def roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Fill `output` with the maximum of each bin and `argmax` with its pixel, y * W + x.

    A bin without pixels gives 0.

    input: (B, C, H, W)
    rois: (R, 5) index into the batch, x1, y1, x2, y2 in the image, the last pixel included
    output, argmax: (R, C, pooled_height, pooled_width)
    """
    height, width = input.shape[2:]
    corners = rois[:, 1:].to(kernel_dtype(rois.dtype))
    start = corners[:, :2] * spatial_scale
    size = (corners[:, 2:] + 1) * spatial_scale - start
    columns = _bins(start[:, 0], size[:, 0], pooled_width, width)
    rows = _bins(start[:, 1], size[:, 1], pooled_height, height)
    output.zero_()
    argmax.fill_(_EMPTY)
    for r, image in enumerate(rois[:, 0].long().tolist()):
        # First along the rows, then down: of equal maxima the first in reading order wins.
        for j, (left, right) in enumerate(columns[r]):
            if left >= right:
                continue
            row_best, x = input[image, :, :, left:right].max(dim=2)  # (C, H)
            for i, (top, bottom) in enumerate(rows[r]):
                if top >= bottom:
                    continue
                output[r, :, i, j], y = row_best[:, top:bottom].max(dim=1)
                y = y[:, None] + top
                argmax[r, :, i, j] = (y * width + left + x.gather(1, y))[:, 0]


def roi_pool_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax: Tensor,
    grad_input: Tensor,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Fill `grad_input` (B, C, H, W): each output's gradient goes to the pixel it came from."""
    num_channels, height, width = grad_input.shape[1:]
    channel = torch.arange(num_channels, device=argmax.device)
    plane = rois[:, :1].long() * num_channels + channel  # (R, C)
    pixel = plane[:, :, None, None] * (height * width) + argmax.clamp(min=0)
    gradient = grad_output.to(kernel_dtype(grad_output.dtype)) * (argmax != _EMPTY)
    total = gradient.new_zeros(grad_input.numel())
    total.index_add_(0, pixel.flatten(), gradient.flatten())
    grad_input.copy_(total.view_as(grad_input))


def _bins(start: Tensor, size: Tensor, num_bins: int, num_pixels: int) -> list[list[list[int]]]:
    """Per roi and bin the first pixel and the one after the last, along one axis.

    A roi of no or negative size has no pixels.
    """
    steps = torch.arange(num_bins + 1, device=start.device)
    edges = start[:, None] + steps * (size / num_bins)[:, None]
    bins = torch.stack([edges[:, :-1].floor(), edges[:, 1:].ceil()], dim=2)
    bins = bins * (size > 0)[:, None, None]
    return bins.clamp(0, num_pixels).long().tolist()
