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
    dtype = kernel_dtype(input.dtype)
    start = rois[:, 1:3].to(dtype) * spatial_scale
    size = (rois[:, 3:5].to(dtype) + 1) * spatial_scale - start
    columns = _bins(start[:, 0], size[:, 0], pooled_width, width)  # (R, pooled_width, W)
    rows = _bins(start[:, 1], size[:, 1], pooled_height, height)  # (R, pooled_height, H)
    for r, image in enumerate(rois[:, 0].long().tolist()):
        row_span, column_span = rows[r].any(dim=0), columns[r].any(dim=0)
        in_row, in_column = rows[r][:, row_span], columns[r][:, column_span]
        if in_row.numel() == 0 or in_column.numel() == 0:
            output[r], argmax[r] = 0, _EMPTY
            continue
        pixels = input[image][:, row_span][:, :, column_span]  # (C, h, w)
        # First along each row, then over rows: of equal maxima the first in reading order wins.
        row_best, x = _masked(pixels[:, :, None], in_column).max(dim=-1)  # (C, h, pooled_width)
        best, y = _masked(row_best[:, None], in_row[:, :, None]).max(dim=2)
        x = column_span.nonzero()[:, 0][x.gather(1, y)]
        y = row_span.nonzero()[:, 0][y]
        empty = ~(in_row.any(dim=1)[:, None] & in_column.any(dim=1))
        output[r] = best.masked_fill(empty, 0)
        argmax[r] = (y * width + x).masked_fill(empty, _EMPTY).to(argmax.dtype)


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


def _bins(start: Tensor, size: Tensor, num_bins: int, num_pixels: int) -> Tensor:
    """Which pixels lie in which bin (R, num_bins, num_pixels) along one axis; a bool mask.

    Rois of no or negative size have none.
    """
    edges = torch.arange(num_bins + 1, device=start.device) * (size / num_bins)[:, None]
    edges = edges + start[:, None]
    pixels = torch.arange(num_pixels, device=start.device)
    after_start = pixels >= edges[:, :-1].floor()[:, :, None]
    before_end = pixels < edges[:, 1:].ceil()[:, :, None]
    return after_start & before_end & (size > 0)[:, None, None]


def _masked(values: Tensor, is_member: Tensor) -> Tensor:
    return values.masked_fill(~is_member, -torch.inf)
