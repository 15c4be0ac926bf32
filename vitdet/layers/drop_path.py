"""Stochastic depth (Huang et al., 2016): leave a residual branch out for some of the images."""

from torch import Tensor, nn

from vitdet.errors import UserError


class DropPath(nn.Module):
    """Zero the branch of each image with probability `rate`, and scale up those that stay."""

    def __init__(self, rate: float = 0.0) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise UserError(f"drop_path_rate {rate} is no share below 1; give one in [0, 1)")
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Return x: (B, ...) with whole images zeroed in training, unchanged otherwise."""
        if self.rate == 0 or not self.training:
            return x
        keep = 1 - self.rate
        kept = x.new_empty(x.shape[0], *[1] * (x.ndim - 1)).bernoulli_(keep)
        return x * kept.div_(keep)

    def extra_repr(self) -> str:
        return f"rate={self.rate:.3f}"


def linear_drop_path_rates(rate: float, num_blocks: int) -> list[float]:
    """Rates rising linearly with depth, from 0 in the first block to `rate` in the last."""
    return [rate * block / max(num_blocks - 1, 1) for block in range(num_blocks)]
