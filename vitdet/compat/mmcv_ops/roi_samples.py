"""Where RoIAlign and its kin sample a map, and with what weights."""

import torch
from torch import Tensor


def sample_positions(
    rois: Tensor,
    height: int,
    width: int,
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> list[tuple[int, Tensor, Tensor]]:
    """Per roi its image, sample rows (height, n) and sample columns (width, m), in map pixels.

    rois: (R, 5) index into the batch, x1, y1, x2, y2 in the image, `spatial_scale` to the map
    height, width: number of bins
    sampling_ratio: samples per bin and direction; 0 or less takes one per pixel of the map
    aligned: pixel centres lie at half-integers; if not, at integers, and rois span a pixel or more
    """
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


def interpolation_weights(positions: Tensor, num_pixels: int) -> Tensor:
    """Weights (*, num_pixels) of linear interpolation at `positions` (*,), pixel i lying at i.

    A position up to one pixel outside counts as the border; beyond that all weights are 0.
    """
    inside = (positions >= -1) & (positions <= num_pixels)
    positions = positions.clamp(0, num_pixels - 1)
    lower = positions.detach().floor().clamp(max=max(num_pixels - 2, 0))
    fraction = (positions - lower)[..., None]
    steps = torch.arange(num_pixels, device=positions.device) - lower[..., None]
    weights = torch.where(steps == 0, 1 - fraction, 0) + torch.where(steps == 1, fraction, 0)
    return weights * inside[..., None]
