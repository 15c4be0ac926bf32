"""The two-layer perceptron of a transformer block."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn


class FeedForward(nn.Module):
    """Linear, activation (by default the exact GELU), linear; on each token by itself."""

    def __init__(
        self, dim: int, hidden_dim: int, *, activation: Callable[[Tensor], Tensor] = F.gelu
    ) -> None:
        super().__init__()
        self.activation = activation
        self.fc1 = nn.Linear(dim, hidden_dim)
        self.fc2 = nn.Linear(hidden_dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (..., C) to (..., C)."""
        return self.fc2(self.activation(self.fc1(x)))
