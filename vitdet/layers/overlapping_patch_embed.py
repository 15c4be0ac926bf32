"""Tokens from patches that overlap (PVT v2, section 3.2, arXiv:2106.13797)."""

from torch import Tensor, nn


class OverlappingPatchEmbed(nn.Module):
    """A strided convolution whose kernel is about twice its stride, zero-padded, and a norm."""

    def __init__(self, patch_size: int, dim: int, *, stride: int, in_channels: int = 3) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, dim, patch_size, stride=stride, padding=patch_size // 2)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (B, C, H, W) to (B, ceil(H / stride), ceil(W / stride), C')."""
        return self.norm(self.proj(x).permute(0, 2, 3, 1))
