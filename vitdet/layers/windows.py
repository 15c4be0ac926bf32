"""Cutting a map into square windows, cyclically shifted in every other block (Swin, sec. 3.2).

Maps are channels-last, x: (B, H, W, C); `num_windows` counts the windows of one image.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

MASKED = -100.0  # what the paper's code adds to logits of tokens that are no neighbours


def pad_and_shift(x: Tensor, window_size: int, shift: int) -> Tensor:
    """Zero-pad to whole windows at the bottom and right, then roll by -shift along both axes.

    Args:
        x: (B, H, W, C).
        window_size: side of a window.
        shift: 0 or less than the window.

    Returns:
        (B, H', W', C) with H' and W' multiples of the window.
    """
    height, width = x.shape[1:3]
    if shift == 0 and torch.compiler.is_dynamo_compiling():
        # One graph for maps that windows divide and those that they do not.
        for dim in (1, 2):
            x = torch.cat([x, _zeros(x, dim, -x.shape[dim] % window_size)], dim)
        return x
    if shift == 0:
        pad_bottom, pad_right = -height % window_size, -width % window_size
        return F.pad(x, (0, 0, 0, pad_right, 0, pad_bottom)) if pad_bottom or pad_right else x
    for dim in (1, 2):
        after, gap, before, rest = _shifted_lengths(x.shape[dim], window_size, shift)
        first, last = x.split([before, after], dim)
        # One copy per axis; F.pad and torch.roll would make three for both.
        x = torch.cat([last, _zeros(x, dim, gap), first, _zeros(x, dim, rest)], dim)
    return x


def unshift_and_crop(x: Tensor, size: Sequence[int], window_size: int, shift: int) -> Tensor:
    """Undo `pad_and_shift`.

    Args:
        x: (B, H', W', C).
        size: H and W before padding.
        window_size: side of a window.
        shift: as it was given to `pad_and_shift`.

    Returns:
        (B, H, W, C).
    """
    if shift == 0 and torch.compiler.is_dynamo_compiling():
        for dim in (1, 2):
            x, _ = x.split([size[dim - 1], -size[dim - 1] % window_size], dim)
        return x.clone(memory_format=torch.contiguous_format)
    if shift == 0:
        return x[:, : size[0], : size[1]].contiguous()  # linear layers are slower on views
    for dim in (1, 2):
        lengths = _shifted_lengths(size[dim - 1], window_size, shift)
        last, _, first, _ = x.split(lengths, dim)
        x = torch.cat([first, last], dim)
    return x


def _shifted_lengths(size: int, window_size: int, shift: int) -> list[int]:
    """Lengths along a padded and rolled axis: end of the map, padding, begin of the map, padding.

    The last padding is there only when the map is shorter than the shift.
    """
    begin = min(shift, size)
    rest = shift - begin
    return [size - begin, -size % window_size - rest, begin, rest]


def _zeros(x: Tensor, dim: int, length: int) -> Tensor:
    shape = list(x.shape)
    shape[dim] = length
    return x.new_zeros(shape)


def shift_mask_patterns(window_size: int, shift: int) -> Tensor:
    """The four masks that exist: only windows of the last row and column hold torn-apart regions.

    Args:
        window_size: side of a window.
        shift: what the map is rolled by.

    Returns:
        (2, 2, N, N) with N = window_size**2: `[is_last_row, is_last_column]`, 0 where a token may
        attend to another and `MASKED` where the roll brought them together from opposite borders.
    """
    wrapped = torch.arange(window_size) >= window_size - shift
    unwrapped = torch.zeros_like(wrapped)
    patterns = []
    for rows in (unwrapped, wrapped):
        for columns in (unwrapped, wrapped):
            region = (2 * rows[:, None] + columns[None, :]).flatten()
            patterns.append((region[:, None] != region[None, :]) * MASKED)
    num_tokens = window_size**2
    return torch.stack(patterns).view(2, 2, num_tokens, num_tokens)


def shift_mask(patterns: Tensor, num_rows: int, num_columns: int) -> Tensor:
    """Lay the patterns out over a map of windows.

    Args:
        patterns: (2, 2, N, N) from `shift_mask_patterns`.
        num_rows: rows of windows in the map.
        num_columns: columns of windows in the map.

    Returns:
        (num_windows, N, N).
    """
    is_last_row = torch.arange(1, num_rows + 1, device=patterns.device) // num_rows
    is_last_column = torch.arange(1, num_columns + 1, device=patterns.device) // num_columns
    return patterns[is_last_row[:, None], is_last_column[None, :]].flatten(0, 1)


def cut_windows(x: Tensor, window_size: int) -> Tensor:
    """Cut a map, whose channels are already told apart by heads, into windows.

    Args:
        x: (B, H, W, num_heads, D), H and W multiples of the window.
        window_size: side of a window.

    Returns:
        (B, num_windows, num_heads, N, D), windows row by row, N = window_size**2.
    """
    batch, height, width, num_heads, dim = x.shape
    rows, columns = height // window_size, width // window_size
    x = x.view(batch, rows, window_size, columns, window_size, num_heads, dim)
    x = x.permute(0, 1, 3, 5, 2, 4, 6)  # (B, rows, columns, num_heads, window, window, D)
    return x.reshape(batch, rows * columns, num_heads, window_size**2, dim)


def join_windows(windows: Tensor, size: Sequence[int], window_size: int) -> Tensor:
    """Undo `cut_windows`, with the heads side by side.

    Args:
        windows: (B, num_windows, num_heads, N, D).
        size: H and W of the map, multiples of the window.
        window_size: side of a window.

    Returns:
        (B, H, W, num_heads * D).
    """
    batch, _, num_heads, _, dim = windows.shape
    rows, columns = size[0] // window_size, size[1] // window_size
    x = windows.reshape(batch, rows, columns, num_heads, window_size, window_size, dim)
    x = x.permute(0, 1, 4, 2, 5, 3, 6)  # (B, rows, window, columns, window, num_heads, D)
    return x.reshape(batch, size[0], size[1], num_heads * dim)
