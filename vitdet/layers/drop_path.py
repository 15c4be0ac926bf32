"""Stochastic depth (Huang et al., 2016): leave a residual branch out for some of the images."""

import torch
from torch import Tensor, nn

from vitdet.errors import UserError


class DropPath(nn.Module):
    """Zero the branch of each image with probability `rate`, and scale up those that stay."""

    def __init__(self, rate: float = 0.0) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise UserError(f"drop_path_rate {rate} is no share below 1; give one in [0, 1)")
        self.rate = rate
        self.is_active = rate > 0
        # A tensor, so that blocks of different rates share what is compiled of them.
        self.register_buffer("keep", torch.tensor(1.0 - rate), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return x: (B, ...) with whole images zeroed in training, unchanged otherwise."""
        if not (self.is_active and self.training):
            return x
        kept = x.new_empty(x.shape[0], *[1] * (x.ndim - 1)).bernoulli_(self.keep)
        return x * kept.div_(self.keep)

    def extra_repr(self) -> str:
        return f"rate={self.rate:.3f}"


def linear_drop_path_rates(rate: float, num_blocks: int) -> list[float]:
    """Rates rising linearly with depth, from 0 in the first block to `rate` in the last."""
    return [rate * block / max(num_blocks - 1, 1) for block in range(num_blocks)]
