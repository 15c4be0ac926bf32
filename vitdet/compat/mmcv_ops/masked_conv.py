"""Convolution at chosen pixels only (Wang et al. 2019, guided anchoring)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def masked_im2col_forward(
    im: Tensor,
    mask_h_idx: Tensor,
    mask_w_idx: Tensor,
    col: Tensor,
    kernel_h: int,
    kernel_w: int,
    pad_h: int,
    pad_w: int,
) -> None:
    """Fill `col` (C * kernel_h * kernel_w, N) with the windows at the N chosen pixels.

    im: (1, C, H, W)
    mask_h_idx, mask_w_idx: (N,) row and column of the window's first pixel in the padded map
    """
    padded = F.pad(im[0], (pad_w, pad_w, pad_h, pad_h))
    tap_y = torch.arange(kernel_h, device=im.device)[:, None, None]
    tap_x = torch.arange(kernel_w, device=im.device)[:, None]
    windows = padded[:, mask_h_idx + tap_y, mask_w_idx + tap_x]  # (C, kernel_h, kernel_w, N)
    col.copy_(windows.flatten(0, 2))


def masked_col2im_forward(
    col: Tensor,
    mask_h_idx: Tensor,
    mask_w_idx: Tensor,
    im: Tensor,
    height: int,
    width: int,
    channels: int,
) -> None:
    """Put `col` (channels, N) at the N chosen pixels of `im` (1, channels, height, width)."""
    im[0, :, mask_h_idx, mask_w_idx] = col
