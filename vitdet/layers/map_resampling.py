"""Bring a map from one stride to any other, without parameters."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def resample_map(x: Tensor, stride: int, out_stride: int, image_size: Sequence[int]) -> Tensor:
    """Resample bilinearly, each cell at the place in the image that it stands for.

    The scale is exactly stride / out_stride, not the ratio of the two sizes, which rounding up to
    whole cells would make a different one at the borders. Where cells grow to twice their side
    they are averaged first.

    Args:
        x: (B, C, H, W), begins at the image's first row and column and covers at least the image.
        stride: pixels per cell of `x`.
        out_stride: pixels per cell of the result.
        image_size: height and width of the image.

    Returns:
        (B, C, ceil(height / out_stride), ceil(width / out_stride)).
    """
    size = [-(-side // out_stride) for side in image_size]
    while 2 * stride <= out_stride:
        x = F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)
        stride *= 2
    if stride == out_stride:
        return x[..., : size[0], : size[1]]
    scale = stride / out_stride
    # F.interpolate takes either the size or the scale. The function below takes both, but copies a
    # map that has the size asked for, whatever the scale: then one row more is asked for.
    rows = size[0] + 1 if x.shape[2] == size[0] else size[0]
    resampled = torch.ops.aten.upsample_bilinear2d.default(x, [rows, size[1]], False, scale, scale)
    return resampled[:, :, : size[0]]
