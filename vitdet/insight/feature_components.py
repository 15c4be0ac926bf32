"""Feature maps as colours: their three strongest components.

The components are those of all images together, so that a colour means the same in each picture.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def component_colours(maps: Sequence[Tensor]) -> list[Tensor]:
    """Principal components of features as red, green and blue.

    Args:
        maps: (C, H, W) of one stage, of any number of images of any size.

    Returns:
        (H, W, 3) of each, 0 to 1: the middle 98 % of each component's values, cut off outside. A
        component's sign is chosen so that the corners of the images, mostly background, are dark.
    """
    tokens = torch.cat([one.flatten(1).t() for one in maps]).double()  # (N, C)
    mean = tokens.mean(0)
    centred = tokens - mean
    # The covariance is C x C, however many tokens there are; largest values come last.
    _, vectors = torch.linalg.eigh(centred.t() @ centred / len(tokens))
    axes = vectors[:, -3:].flip(1)
    if axes.shape[1] < 3:
        axes = torch.nn.functional.pad(axes, (0, 3 - axes.shape[1]))
    corners = torch.stack(
        [one[:, row, column] for one in maps for row in (0, -1) for column in (0, -1)]
    )
    is_bright = ((corners.double() - mean) @ axes).mean(0) > 0
    axes = torch.where(is_bright, -axes, axes)
    values = centred @ axes
    low, high = values.quantile(0.01, dim=0), values.quantile(0.99, dim=0)
    colours = ((values - low) / (high - low).clamp(min=1e-12)).clamp(0, 1).float()
    parts = colours.split([one[0].numel() for one in maps])
    return [part.unflatten(0, one.shape[1:]) for part, one in zip(parts, maps, strict=True)]
