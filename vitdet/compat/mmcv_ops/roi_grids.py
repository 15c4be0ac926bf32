"""How many samples RoIAlign and its kin take in a bin."""

from collections.abc import Iterator

import torch
from torch import Tensor


def scaled_corners(rois: Tensor, spatial_scale: float, aligned: bool) -> tuple[Tensor, Tensor]:
    """Upper left corner and size of the rois on the map, both (R, 2) as x, y.

    rois: (R, 5) index into the batch, x1, y1, x2, y2 in the image, `spatial_scale` to the map
    aligned: pixel centres lie at half-integers; if not, at integers, and rois span a pixel or more
    """
    corners = rois[:, 1:] * spatial_scale - (0.5 if aligned else 0.0)
    size = corners[:, 2:] - corners[:, :2]
    return corners[:, :2], size if aligned else size.clamp(min=1)


def samples_per_bin(size: Tensor, num_bins: tuple[int, int], sampling_ratio: int) -> Tensor:
    """Samples (R, 2), down and across, in each of the `num_bins` of rois of `size` (R, 2) x, y.

    sampling_ratio: samples per direction; 0 or less takes one per pixel of the map
    """
    if sampling_ratio > 0:
        return torch.full_like(size, sampling_ratio, dtype=torch.long)
    return (size.flip(1) / size.new_tensor(num_bins)).ceil().clamp(min=0).long()


def groups(keys: Tensor) -> Iterator[tuple[list[int], Tensor]]:
    """Every distinct row of `keys` (R, n), with the indices of the rows equal to it."""
    distinct, group = keys.unique(dim=0, return_inverse=True)
    for index, key in enumerate(distinct.tolist()):
        yield key, (group == index).nonzero()[:, 0]
