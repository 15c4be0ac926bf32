"""RoIAlign (He et al. 2017, Mask R-CNN, section 3) on a CPU: weighted sums of rows.

torchvision's kernel reads every channel of a pixel from another place of memory. Here a pixel is
one row of all its channels, and a bin one sum of rows: `embedding_bag`. The weight of a pixel in a
bin is the product of its line's and its column's, and pixels that several samples of a bin share
are read once. The gradient is a product with the transposed sparse matrix of those weights.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from scipy.sparse import csc_matrix
from torch import Tensor

from vitdet.compat.mmcv_ops.roi_grids import groups, samples_per_bin, scaled_corners

_FEWEST_CHANNELS = 8  # with fewer, finding the rows costs more than adding them


class Geometry(NamedTuple):
    """Where the bins are.

    Attributes:
        num_bins: down and across.
        spatial_scale: from the image to the map.
        sampling_ratio: samples per bin and direction; 0 or less takes one per pixel of the map.
        aligned: pixel centres lie at half-integers; if not, at integers, and rois span a pixel.
    """

    num_bins: tuple[int, int]
    spatial_scale: float
    sampling_ratio: int
    aligned: bool


def is_faster(input: Tensor) -> bool:
    """Whether maps (B, C, H, W) had better be read in this way."""
    is_plain = input.device.type == "cpu" and not torch.compiler.is_compiling()
    return is_plain and input.shape[1] >= _FEWEST_CHANNELS


def align(input: Tensor, rois: Tensor, geometry: Geometry) -> Tensor:
    """Means of the samples of each bin, (R, C, down, across).

    input: (B, C, H, W); rois: (R, 5) index into the batch, x1, y1, x2, y2 in the image.
    """
    output = input.new_zeros(len(rois), input.shape[1], *geometry.num_bins)
    table = _rows_of(input)
    for members, rows, weights in _bags(input.shape, rois, geometry):
        sums = F.embedding_bag(rows, table, mode="sum", per_sample_weights=weights)
        sums = sums.view(len(members), -1, input.shape[1]).transpose(1, 2)
        output[members] = sums.unflatten(2, geometry.num_bins)
    return output


def gradient(by_output: Tensor, rois: Tensor, shape: torch.Size, geometry: Geometry) -> Tensor:
    """Gradient by the maps (B, C, H, W) of this `shape`; by_output: (R, C, down, across)."""
    batch, channels, height, width = shape
    bags = list(_bags(shape, rois, geometry))
    if not bags:
        return by_output.new_zeros(shape)
    members = torch.cat([members for members, _, _ in bags])
    lengths = [torch.full((len(rows),), rows.shape[1]) for _, rows, _ in bags]
    bounds = F.pad(torch.cat(lengths).cumsum(0, dtype=torch.int32), (1, 0))
    rows, weights = (torch.cat([bag[i].flatten() for bag in bags]) for i in (1, 2))
    matrix = csc_matrix(
        (weights.numpy(), rows.numpy(), bounds.numpy()),
        shape=(batch * height * width, len(bounds) - 1),
    )
    # In the order of the rois, as their gradients are: those are much the larger.
    num_bins = math.prod(geometry.num_bins)
    order = members.argsort()
    matrix = matrix[:, (order[:, None] * num_bins + torch.arange(num_bins)).flatten().numpy()]
    if len(members) < len(rois):
        by_output = by_output[members[order]]
    by_map = torch.from_numpy(matrix @ _rows_of(by_output).numpy())
    return by_map.view(batch, height, width, channels).permute(0, 3, 1, 2).contiguous()


def _rows_of(maps: Tensor) -> Tensor:
    """Rows (B * H * W, C) of maps (B, C, H, W)."""
    return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])


def _bags(
    shape: torch.Size, rois: Tensor, geometry: Geometry
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Of all rois with as many samples: their places, and rows and weights (bags, rows of each)."""
    height, width = shape[2:]
    corner, size = scaled_corners(rois, geometry.spatial_scale, geometry.aligned)
    num_samples = samples_per_bin(size, geometry.num_bins, geometry.sampling_ratio)
    for counts, members in groups(num_samples):
        if min(counts) <= 0:  # without an area, or of a diverged model not a number
            continue
        lines, columns = (
            _shares(corner[members, axis], size[members, axis], bins, count, end, geometry)
            for axis, bins, count, end in zip(
                (1, 0), geometry.num_bins, counts, (height, width), strict=True
            )
        )
        images = rois[members, 0].to(torch.int32)[:, None, None, None, None]
        pixels, shares = (
            (line[:, :, None, :, None], column[:, None, :, None])  # (n, down, across, y, x)
            for line, column in zip(lines, columns, strict=True)
        )
        rows = (images * height + pixels[0]) * width + pixels[1]
        weights = shares[0] * shares[1]
        yield members, rows.flatten(0, 2).flatten(1), weights.flatten(0, 2).flatten(1)


def _shares(
    begin: Tensor, size: Tensor, num_bins: int, count: int, end: int, geometry: Geometry
) -> tuple[Tensor, Tensor]:
    """Pixels (n, bins, K), int32, along one axis, and the share of each in its bin.

    Args:
        begin: (n,) of the rois, on the map.
        size: (n,) likewise.
        num_bins: along this axis.
        count: samples in each bin.
        end: pixels of the map.
        geometry: of the bins.
    """
    bin_size = (size / num_bins)[:, None, None]
    # torchvision's order of operations: at a distance from 0, places have few digits left.
    places = begin[:, None, None] + torch.arange(num_bins)[:, None] * bin_size
    places = places + (torch.arange(count) + 0.5) * bin_size / count
    whole = ((places >= -1) & (places <= end)).to(size.dtype) / count
    places = places.clamp(0, end - 1)
    low = places.floor().clamp(max=max(end - 2, 0))
    above = (places - low) * whole
    below = whole - above
    low = low.to(torch.int32)
    if geometry.sampling_ratio > 0:  # samples may lie far from each other
        pixels = torch.stack([low, low + 1], dim=-1).flatten(2)
        shares = torch.stack([below, above], dim=-1).flatten(2)
    else:
        pixels = low[..., :1] + torch.arange(count + 1, dtype=torch.int32)
        nearest = (low - low[..., :1]).long()
        shares = below.new_zeros(pixels.shape).scatter_add_(2, nearest, below)
        shares.scatter_add_(2, nearest + 1, above)
    return pixels.clamp_(max=end - 1), shares
