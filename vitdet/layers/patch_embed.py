"""Cut an image into patches and project each to a token."""

import torch.nn.functional as F
from torch import Tensor, nn


class PatchEmbed(nn.Module):
    """One token per patch, the image zero-padded at the bottom and right to whole patches."""

    def __init__(
        self, patch_size: int, dim: int, *, in_channels: int = 3, has_norm: bool = True
    ) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.proj = nn.Conv2d(in_channels, dim, patch_size, stride=patch_size)
        self.norm = nn.LayerNorm(dim) if has_norm else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """Map images: (B, 3, H, W) to tokens: (B, ceil(H / patch), ceil(W / patch), C)."""
        height, width = images.shape[2:]
        pad_bottom, pad_right = -height % self.patch_size, -width % self.patch_size
        if pad_bottom or pad_right:
            images = F.pad(images, (0, pad_right, 0, pad_bottom))
        return self.norm(self.proj(images).permute(0, 2, 3, 1))
