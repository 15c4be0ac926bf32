"""Halve a map by joining each 2x2 neighbourhood into one token (Swin, sec. 3.1)."""

import torch.nn.functional as F
from torch import Tensor, nn


class PatchMerging(nn.Module):
    """Norm and linear reduction of four neighbours' channels, 4C to 2C.

    The neighbours stand in the order of the paper's code: (row, column) = (0, 0), (1, 0), (0, 1),
    (1, 1). With `norm_last`, as in Swin v2, the norm follows the reduction.
    """

    def __init__(self, dim: int, *, norm_last: bool = False) -> None:
        super().__init__()
        self.norm_last = norm_last
        self.norm = nn.LayerNorm(2 * dim if norm_last else 4 * dim)
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (B, H, W, C) to (B, ceil(H / 2), ceil(W / 2), 2C); odd sides are zero-padded."""
        height, width = x.shape[1:3]
        if height % 2 or width % 2:
            x = F.pad(x, (0, 0, 0, width % 2, 0, height % 2))
        x = x.unflatten(2, (-1, 2)).unflatten(1, (-1, 2))  # (B, H/2, 2, W/2, 2, C)
        x = x.permute(0, 1, 3, 4, 2, 5).flatten(3)  # (B, H/2, W/2, 4C)
        return self.norm(self.reduction(x)) if self.norm_last else self.reduction(self.norm(x))
