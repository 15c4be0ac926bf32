"""Effective receptive fields: how much each pixel changes what a stage says of the middle.

Luo et al. 2016, "Understanding the Effective Receptive Field in Deep Convolutional Neural Networks"
(arXiv:1701.04128), section 2: the gradient of a feature at the centre to the input, averaged over
images. The sum over channels, whose gradient is usually taken, is constant behind a norm; here it
is a sum with random signs, drawn anew for each image.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vitdet.insight.stage_maps import stage_maps


class ReceptiveField(NamedTuple):
    """The field of one stage.

    Attributes:
        name: of the stage.
        stride: pixels per place of its map.
        field: (H, W) mean absolute gradient, the largest is 1.
        centre: (y, x) pixels, the middle of the place whose gradient it is.
    """

    name: str
    stride: float
    field: Tensor
    centre: tuple[float, float]

    def width_of(self, share: float) -> int:
        """Side in pixels of the smallest square around the centre with this share of the field."""
        height, width = self.field.shape
        rows, columns = torch.arange(height) + 0.5, torch.arange(width) + 0.5
        distance = torch.maximum(
            (rows - self.centre[0]).abs()[:, None], (columns - self.centre[1]).abs()[None, :]
        ).flatten()
        order = distance.argsort(stable=True)
        sums = self.field.flatten()[order].cumsum(0)
        last = int(torch.searchsorted(sums, share * sums[-1]).clamp(max=len(sums) - 1))
        return min(round(2 * float(distance[order[last]]) + 1), max(height, width))


def receptive_fields(
    backbone: nn.Module, images: Iterable[Tensor], *, seed: int = 0
) -> list[ReceptiveField]:
    """Measure the field of each stage of a backbone, see `stage_maps`.

    Args:
        backbone: in evaluation mode; its parameters get no gradients.
        images: (3, H, W) each, of one size, normalized.
        seed: of the signs.
    """
    draw = torch.Generator().manual_seed(seed)
    needs = [parameter for parameter in backbone.parameters() if parameter.requires_grad]
    for parameter in needs:
        parameter.requires_grad_(False)
    sums: dict[str, Tensor] = {}
    frames: dict[str, tuple[float, tuple[float, float]]] = {}
    try:
        for image in images:
            pixels = image[None].detach().clone().requires_grad_()
            for stage in stage_maps(backbone, pixels):
                row, column = stage.features.shape[2] // 2, stage.features.shape[3] // 2
                feature = stage.features[0, :, row, column]
                signs = torch.randint(2, feature.shape, generator=draw).to(feature) * 2 - 1
                (gradient,) = torch.autograd.grad(feature @ signs, pixels, retain_graph=True)
                field = gradient[0].abs().sum(0).cpu()
                sums[stage.name] = sums.get(stage.name, 0) + field
                centre = (row + 0.5) * stage.stride, (column + 0.5) * stage.stride
                frames[stage.name] = stage.stride, centre
    finally:
        for parameter in needs:
            parameter.requires_grad_(True)
    return [
        ReceptiveField(name, frames[name][0], field / field.max().clamp(min=1e-30), frames[name][1])
        for name, field in sums.items()
    ]
