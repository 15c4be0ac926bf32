"""Where on a map each token stands, as DETR tells it to attention (appendix A.4).

Both kinds take `is_padding`: (B, H, W) and return (B, H, W, C).
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitdet.errors import UserError

TEMPERATURE = 10000
EPS = 1e-6


class SinePositions(nn.Module):
    """Sines and cosines of row, then of column, each as a share of the image's own extent."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        if dim % 4:
            raise UserError(f"sine positions need channels in fours, not {dim}")
        self.dim = dim

    def forward(self, is_padding: Tensor) -> Tensor:
        is_image = (~is_padding).float()
        rows, columns = is_image.cumsum(1), is_image.cumsum(2)
        rows = rows / (rows[:, -1:] + EPS) * (2 * math.pi)
        columns = columns / (columns[:, :, -1:] + EPS) * (2 * math.pi)
        exponents = torch.arange(0, self.dim // 2, 2, device=is_padding.device) / (self.dim // 2)
        frequencies = TEMPERATURE**exponents
        angles = torch.stack([rows, columns], dim=-1)[..., None] / frequencies  # (B, H, W, 2, C/4)
        return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(3)


class LearnedPositions(nn.Module):
    """One learned vector per column, then one per row; padding counts like the image.

    Args:
        dim: C.
        length: rows and columns that have a vector; for larger maps they are interpolated.
    """

    def __init__(self, dim: int, *, length: int = 50) -> None:
        super().__init__()
        if dim % 2:
            raise UserError(f"learned positions need an even number of channels, not {dim}")
        self.row_embed = nn.Parameter(torch.rand(length, dim // 2))
        self.col_embed = nn.Parameter(torch.rand(length, dim // 2))

    def forward(self, is_padding: Tensor) -> Tensor:
        batch, height, width = is_padding.shape
        rows = _first(self.row_embed, height)[:, None].expand(-1, width, -1)
        columns = _first(self.col_embed, width).expand(height, -1, -1)
        return torch.cat([columns, rows], dim=-1).expand(batch, -1, -1, -1)


def sine_waves(dim: int, grid: Sequence[int]) -> Tensor:
    """Sines and cosines of row, then of column, for positions to start learning from.

    Waves are from 4 places to 4 times the longer side long, so that, other than with the published
    temperature, every channel tells places of a small map apart.

    Args:
        dim: C, a multiple of 4.
        grid: rows H and columns W.

    Returns:
        (1, C, H, W).
    """
    if dim % 4:
        raise UserError(f"sine positions need channels in fours, not {dim}")
    lengths = torch.logspace(math.log2(4), math.log2(4 * max(grid)), dim // 4, base=2)
    angles = [torch.arange(side)[:, None] * (2 * math.pi / lengths) for side in grid]
    rows, columns = (torch.cat([a.sin(), a.cos()], 1) for a in angles)  # (H or W, C / 2)
    height, width = grid
    rows, columns = rows[:, None].expand(-1, width, -1), columns.expand(height, -1, -1)
    return torch.cat([rows, columns], 2).permute(2, 0, 1)[None]


def _first(table: Tensor, count: int) -> Tensor:
    """The first vectors of table: (length, C), stretched to `count` if there are fewer."""
    if count <= len(table):
        return table[:count]
    return F.interpolate(table.t()[None], size=count, mode="linear", align_corners=True)[0].t()
