"""Convolution followed by a batch norm, which may be frozen."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS = 1e-5
FOLDED_FAN_IN = 1024  # weights per output channel; the last maps of large images have more places


class FrozenBatchNorm(nn.Module):
    """A batch norm whose statistics and affine parameters never change, nor get gradients.

    The names of its entries are those of `nn.BatchNorm2d` without the count of batches.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        for name, value in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
            self.register_buffer(name, torch.full((dim,), float(value)))

    def scale_and_shift(self) -> tuple[Tensor, Tensor]:
        """What the norm multiplies by and then adds, (C,) each."""
        scale = self.weight * (self.running_var + EPS).rsqrt()
        return scale, self.bias - self.running_mean * scale

    def forward(self, x: Tensor) -> Tensor:
        """Normalize x: (B, C, H, W)."""
        scale, shift = (value.to(x.dtype)[:, None, None] for value in self.scale_and_shift())
        return torch.addcmul(shift, x, scale)  # one pass


def conv_norm(x: Tensor, conv: nn.Conv2d, norm: nn.Module) -> Tensor:
    """`norm(conv(x))`; x: (B, C, H, W).

    A frozen norm is multiplied into the weights where they are fewer than the places of the map.
    """
    if not isinstance(norm, FrozenBatchNorm) or conv.weight[0].numel() > FOLDED_FAN_IN:
        return norm(conv(x))
    scale, shift = norm.scale_and_shift()
    weight = (conv.weight * scale[:, None, None, None]).to(x.dtype)
    return F.conv2d(x, weight, shift.to(x.dtype), conv.stride, conv.padding, conv.dilation)
