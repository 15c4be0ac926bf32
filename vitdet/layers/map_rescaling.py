"""A pyramid from the maps of a plain transformer, which all have one stride.

Each map is brought to a stride of its own: transposed convolutions enlarge it, max-pooling shrinks
it, as BEiT does under UperNet (Bao et al. 2021, arXiv:2106.08254) and XCiT under Mask R-CNN
(El-Nouby et al. 2021, arXiv:2106.09681).
"""

from torch import Tensor, nn
from torch.nn import functional as F

from vitdet.errors import UserError


class MapRescaling(nn.Module):
    """Bring a map from one stride to another, the two a power of two apart.

    Every doubling is a 2x2 transposed convolution, with a batch norm and GELU between two of them;
    shrinking takes the maximum.
    """

    def __init__(self, dim: int, stride: int, out_stride: int) -> None:
        super().__init__()
        larger, smaller = max(stride, out_stride), min(stride, out_stride)
        factor = larger // smaller
        if larger % smaller or factor & (factor - 1):
            raise UserError(
                f"a map of stride {stride} cannot be brought to stride {out_stride}; choose one "
                "that is a power of two times smaller or larger"
            )
        self.out_stride = out_stride
        self.shrinking = factor if out_stride > stride else 1
        doublings = factor.bit_length() - 1 if out_stride < stride else 0
        layers: list[nn.Module] = []
        for index in range(doublings):
            if index:
                layers += [nn.BatchNorm2d(dim), nn.GELU()]
            layers.append(nn.ConvTranspose2d(dim, dim, 2, stride=2))
        self.enlarge = nn.Sequential(*layers)

    def forward(self, x: Tensor, height: int, width: int) -> Tensor:
        """Map x: (B, C, H, W) to (B, C, ceil(height / out_stride), ceil(width / out_stride)).

        `height` and `width` are the image's: where the map's last tokens reach beyond the image,
        what lies outside is cut off.
        """
        if self.shrinking > 1:
            return F.max_pool2d(x, self.shrinking, ceil_mode=True)
        rows, columns = -(-height // self.out_stride), -(-width // self.out_stride)
        return self.enlarge(x)[..., :rows, :columns]
