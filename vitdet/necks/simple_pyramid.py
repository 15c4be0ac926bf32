"""The feature pyramid of ViTDet (Li et al. 2022, arXiv:2203.16527, section 3 and appendix A.2)."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from vitdet.errors import UserError
from vitdet.layers import LayerNorm2d
from vitdet.registry import MODELS

NUM_SCALES = 4  # of the map: 4, 2, 1 and 1/2


@MODELS.register_module()
class SimpleFeaturePyramid(nn.Module):
    """A pyramid from the last map of a plain backbone alone, without top-down connections.

    The map of stride 16 becomes maps of strides 4, 8, 16 and 32: by two, one or no transposed
    convolution, or by max-pooling; each then passes a 1x1 and a 3x3 convolution. Strides beyond
    are subsampled from the last.

    Args:
        in_channels: channels of the map; of a list, as backbones have it, the last counts.
        out_channels: channels of each level.
        num_outs: levels, 4 or more.
    """

    def __init__(
        self, in_channels: int | Sequence[int], *, out_channels: int = 256, num_outs: int = 5
    ) -> None:
        super().__init__()
        dim = in_channels if isinstance(in_channels, int) else in_channels[-1]
        if num_outs < NUM_SCALES:
            raise UserError(
                f"SimpleFeaturePyramid: num_outs {num_outs} is less than the {NUM_SCALES} levels "
                "that it always has; leave the ones not needed to the heads"
            )
        self.num_extra = num_outs - NUM_SCALES
        enlarged = nn.Sequential(
            nn.ConvTranspose2d(dim, dim // 2, 2, stride=2),
            LayerNorm2d(dim // 2),
            nn.GELU(),
            nn.ConvTranspose2d(dim // 2, dim // 4, 2, stride=2),
        )
        rescaled = [
            (enlarged, dim // 4),
            (nn.ConvTranspose2d(dim, dim // 2, 2, stride=2), dim // 2),
            (nn.Identity(), dim),
            (nn.MaxPool2d(2, ceil_mode=True), dim),
        ]
        self.levels = nn.ModuleList(
            nn.Sequential(
                rescale,
                nn.Conv2d(channels, out_channels, 1, bias=False),
                LayerNorm2d(out_channels),
                nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
                LayerNorm2d(out_channels),
            )
            for rescale, channels in rescaled
        )

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Compute the levels, finest first.

        Args:
            maps: the backbone's; the last, (B, C, H, W), is used.

        Returns:
            `num_outs` maps: (B, out_channels, 4H, 4W), (.., 2H, 2W), (.., H, W) and from there on
            half of each side, rounded up.
        """
        outputs = [level(maps[-1]) for level in self.levels]
        for _ in range(self.num_extra):
            outputs.append(F.max_pool2d(outputs[-1], 1, stride=2))
        return tuple(outputs)
