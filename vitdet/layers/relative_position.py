"""Learned bias on attention logits by the relative position of two tokens in a window."""

import torch
import torch.nn.functional as F
from torch import Tensor


def relative_position_index(window_size: int, device: torch.device | None = None) -> Tensor:
    """Row of the bias table for each pair of tokens.

    The table has (2 * window_size - 1)**2 rows, one per offset (dy, dx), dx running fastest.

    Returns:
        (N * N,) int64 with N = window_size**2; query token slow, key token fast.
    """
    position = torch.arange(window_size, device=device)
    offset = position[:, None] - position[None, :] + window_size - 1  # query minus key, from 0
    index = offset[:, None, :, None] * (2 * window_size - 1) + offset[None, :, None, :]
    return index.flatten()


def relative_position_bias(table: Tensor, index: Tensor) -> Tensor:
    """Look the bias of every pair of tokens up.

    Args:
        table: ((2 * window_size - 1)**2, num_heads).
        index: (N * N,) from `relative_position_index`.

    Returns:
        (num_heads, N, N). On a GPU its rows start at multiples of 8 elements, as the fused kernels
        want them: they would otherwise pad a copy of it for each call.
    """
    num_tokens = int(index.numel() ** 0.5)
    bias = table.index_select(0, index).view(num_tokens, num_tokens, -1).permute(2, 0, 1)
    if table.device.type != "cuda":
        return bias.contiguous()
    return F.pad(bias, (0, -num_tokens % 8)).contiguous()[..., :num_tokens]


def log_spaced_offsets(
    window_size: int, pretrained_window_size: int, device: torch.device | None = None
) -> Tensor:
    """Offsets between two tokens of a window, as Swin v2's network for the bias takes them (eq. 4).

    Args:
        window_size: side of the window.
        pretrained_window_size: side of the window that the network was trained for, whose largest
            offset is 1 before the logarithm; 0 for `window_size` itself.
        device: where to make them.

    Returns:
        ((2 * window_size - 1)**2, 2): (dy, dx), in the order of `relative_position_index`.
    """
    largest = max((pretrained_window_size or window_size) - 1, 1)
    offset = torch.arange(1 - window_size, window_size, device=device) * (8 / largest)
    offset = offset.sign() * torch.log2(offset.abs() + 1) / 3
    return torch.cartesian_prod(offset, offset)


def resize_relative_position_table(table: Tensor, window_size: int) -> Tensor:
    """Interpolate a table (bicubic) for another window, as the paper's code does.

    Args:
        table: (S * S, num_heads).
        window_size: side of the new window.

    Returns:
        ((2 * window_size - 1)**2, num_heads).
    """
    old_side, new_side = int(table.shape[0] ** 0.5), 2 * window_size - 1
    grid = table.t().reshape(1, -1, old_side, old_side).float()
    grid = F.interpolate(grid, size=(new_side, new_side), mode="bicubic", align_corners=False)
    return grid.flatten(2)[0].t().to(table.dtype)
