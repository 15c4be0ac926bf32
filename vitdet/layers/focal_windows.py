"""Which keys a window attends to in focal attention (Yang et al. 2021, arXiv:2107.00641, sec. 3.2).

Every window has the same layout of keys, moved along with it: its own tokens, the tokens around it,
and for each coarser level a square of pooled tokens around those of its own. So where a key lies is
a pair of offsets, one per axis, and the keys of all windows are one gather.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

MASKED = -100.0  # what the paper's code adds to logits of pooled tokens outside the map


class FocalLevel(NamedTuple):
    """Pooled tokens of one level.

    Attributes:
        per_window: pooled tokens of a window along one axis, 2**(level - 1).
        pool_size: side in tokens of what one of them is pooled from.
        reach: how many more pooled tokens are seen beyond the window's own, in each direction.
    """

    per_window: int
    pool_size: int
    reach: int

    @property
    def num_seen(self) -> int:
        """Pooled tokens seen along one axis."""
        return self.per_window + 2 * self.reach


class Neighbours(NamedTuple):
    """The tokens around a window, as the paper's code finds them: in four maps rolled diagonally.

    Along the middle of each side two of the four show the same token. The published biases hold a
    column for both; here such a token is one key, whose bias is the logarithm of the sum of the
    exponentials of both.

    Attributes:
        offsets: (2, K) rows and columns from the window's first token, single ones first.
        single: columns of the published biases for tokens that are shown once.
        double: (2, .) columns for those shown twice.
    """

    offsets: Tensor
    single: Tensor
    double: Tensor


def neighbours(window_size: int, expand_size: int) -> Neighbours:
    """List the tokens around a window that are at most `expand_size` away, by the four rolls."""
    columns: dict[tuple[int, int], list[int]] = {}
    for column, offset in enumerate(_rolled_offsets(window_size, expand_size)):
        columns.setdefault(offset, []).append(column)
    single = {offset: found for offset, found in columns.items() if len(found) == 1}
    double = {offset: found for offset, found in columns.items() if len(found) == 2}
    return Neighbours(
        torch.tensor([*single, *double]).reshape(-1, 2).t().contiguous(),
        torch.tensor([found[0] for found in single.values()], dtype=torch.long),
        torch.tensor([*double.values()], dtype=torch.long).reshape(-1, 2).t().contiguous(),
    )


def _rolled_offsets(window_size: int, expand_size: int) -> Iterator[tuple[int, int]]:
    """Offsets outside the window, in the order of the published bias columns."""
    for down in (expand_size, -expand_size):
        for right in (expand_size, -expand_size):
            for row in range(down, down + window_size):
                for column in range(right, right + window_size):
                    if not (0 <= row < window_size and 0 <= column < window_size):
                        yield row, column


def key_index(
    offsets: Tensor,
    window_size: int,
    levels: tuple[FocalLevel, ...],
    num_rows: int,
    num_columns: int,
) -> Tensor:
    """Where the keys of all windows lie in the list of tokens.

    Args:
        offsets: (2, K) of the fine tokens from a window's first; the map continues cyclically.
        window_size: side of a window.
        levels: of the pooled tokens.
        num_rows: rows of windows in the map.
        num_columns: columns of windows in the map.

    Returns:
        (num_windows * M,) int32 into the tokens of the map, row by row, then those of each level,
        then one that stands for all that is outside the map of a level.
    """
    rows = torch.arange(num_rows, device=offsets.device)[:, None, None]
    columns = torch.arange(num_columns, device=offsets.device)[:, None]
    height, width = num_rows * window_size, num_columns * window_size
    row = (rows * window_size + offsets[0]) % height
    column = (columns * window_size + offsets[1]) % width
    index = [row * width + column]  # (num_rows, num_columns, K)

    first = height * width
    last = first + sum(num_rows * num_columns * level.per_window**2 for level in levels)
    for level in levels:
        height, width = num_rows * level.per_window, num_columns * level.per_window
        seen = torch.arange(-level.reach, level.per_window + level.reach, device=offsets.device)
        row = rows * level.per_window + seen.repeat_interleave(level.num_seen)
        column = columns * level.per_window + seen.repeat(level.num_seen)
        is_inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        index.append(torch.where(is_inside, first + row * width + column, last))
        first += height * width
    return torch.cat(index, dim=-1).flatten().int()


def pooled_bias_index(window_size: int, num_seen: int) -> Tensor:
    """Column of the bias table for each pair of a token of the window and a pooled one.

    Returns:
        (N * num_seen**2,) int64 with N = window_size**2, pooled tokens fastest.
    """
    offset = torch.arange(window_size)[:, None] - torch.arange(num_seen) + num_seen - 1
    side = window_size + num_seen - 1
    return (offset[:, None, :, None] * side + offset[None, :, None, :]).flatten()
