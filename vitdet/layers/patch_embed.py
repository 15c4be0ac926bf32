"""Cut an image into patches and project each to a token."""

import torch.nn.functional as F
from torch import Tensor, nn

from vitdet.layers.patch_projection import project_patches


class PatchEmbed(nn.Module):
    """One token per patch, the image zero-padded at the bottom and right to whole patches.

    With `drops_remainder` only an image smaller than a patch is padded, and of any other what does
    not fill a patch is left out. A `kernel_size` above the patch's makes patches overlap, with
    `padding` zeros around the image.
    """

    def __init__(
        self,
        patch_size: int,
        dim: int,
        *,
        in_channels: int = 3,
        has_norm: bool = True,
        drops_remainder: bool = False,
        kernel_size: int | None = None,
        padding: int = 0,
    ) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.drops_remainder = drops_remainder
        self.overlaps = kernel_size not in (None, patch_size)
        self.proj = nn.Conv2d(
            in_channels, dim, kernel_size or patch_size, stride=patch_size, padding=padding
        )
        self.norm = nn.LayerNorm(dim) if has_norm else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """Map images: (B, 3, H, W) to tokens: (B, ceil(H / patch), ceil(W / patch), C).

        With `drops_remainder` the sides are rounded down, to no less than 1.
        """
        pad_bottom, pad_right = (self._padding(side) for side in images.shape[2:])
        if pad_bottom or pad_right:
            images = F.pad(images, (0, pad_right, 0, pad_bottom))
        if self.overlaps:
            return self.norm(self.proj(images).permute(0, 2, 3, 1))
        return self.norm(project_patches(images.permute(0, 2, 3, 1), self.proj))

    def _padding(self, side: int) -> int:
        if self.drops_remainder:
            return max(self.patch_size - side, 0)
        return -side % self.patch_size
