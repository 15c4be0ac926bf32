"""The perceptron of PVT v2 with a depth-wise convolution (section 3.3, arXiv:2106.13797)."""

import torch.nn.functional as F
from torch import Tensor, nn


class ConvFeedForward(nn.Module):
    """Linear, 3x3 depth-wise convolution, GELU (exact), linear.

    The zeros around the map are all that tells a token where it stands. With `has_relu`, as the
    linear variants have it, a ReLU follows the first layer.
    """

    def __init__(self, dim: int, hidden_dim: int, *, has_relu: bool = False) -> None:
        super().__init__()
        self.has_relu = has_relu
        self.fc1 = nn.Linear(dim, hidden_dim)
        self.dwconv = nn.Conv2d(hidden_dim, hidden_dim, 3, padding=1, groups=hidden_dim)
        self.fc2 = nn.Linear(hidden_dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (B, H, W, C) to the same shape."""
        x = self.fc1(x)
        if self.has_relu:
            x = F.relu(x)
        # A view of channels-last memory, for which the depth-wise kernels are the fastest.
        x = self.dwconv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self.fc2(F.gelu(x))
