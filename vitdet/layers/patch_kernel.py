"""The kernel of a patch embedding, brought to another size of patches."""

import torch
import torch.nn.functional as F
from torch import Tensor


def resize_patch_kernel(weight: Tensor, patch_size: int) -> Tensor:
    """Resize a kernel so that it answers to resized patches as it did to the patches.

    The pseudo-inverse of the (bicubic) resizing of patches, FlexiViT (Beyer et al. 2023,
    arXiv:2212.08013), section 3.4: exact for larger patches, the least squares for smaller ones.

    Args:
        weight: (C, 3, S, S).
        patch_size: side of the new patches.

    Returns:
        (C, 3, patch_size, patch_size).
    """
    side = weight.shape[-1]
    pixels = torch.eye(side**2).unflatten(1, (1, side, side))
    size = (patch_size, patch_size)
    resized = F.interpolate(pixels, size=size, mode="bicubic", antialias=True).flatten(1)
    inverse = torch.linalg.pinv(resized).t().to(weight)  # (S * S, patch_size**2)
    return (weight.flatten(2) @ inverse).unflatten(2, size)
