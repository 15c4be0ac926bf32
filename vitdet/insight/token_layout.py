"""Where the queries and keys of an attention layer lie on the map of tokens.

Nothing here repeats the arithmetic of windows: the numbers of the tokens take the way that the
tokens themselves take, through the same functions, and come out where these do.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vitdet.layers.focal_attention import FocalAttention
from vitdet.layers.spatial_reduction_attention import POOLED_SIDE, SpatialReductionAttention
from vitdet.layers.windows import cut_windows, pad_and_shift


class Grid(NamedTuple):
    """A map of tokens.

    Attributes:
        height: rows.
        width: columns.
        stride: pixels of the model's input along either side of a token.
        first: how many tokens, such as class tokens, stand before those of the map.
    """

    height: int
    width: int
    stride: int
    first: int = 0

    @property
    def num_places(self) -> int:
        return self.height * self.width


class TokenLayout(NamedTuple):
    """Which tokens the queries and keys of a layer are, window by window.

    Attributes:
        queries: (num_windows, N) number of each query's token, -1 for padding.
        keys: (num_windows, M) number of each key, -1 for padding.
        num_tokens: how many tokens there are, those before and behind the map included.
        spread: (num_keys, num_tokens) sparse, what share of each key each token is, where keys are
            no tokens; each row sums to 1, or to 0 if the key stands for nothing on the map.
    """

    queries: Tensor
    keys: Tensor
    num_tokens: int
    spread: Tensor | None = None


def global_layout(num_tokens: int, num_queries: int | None = None) -> TokenLayout:
    """All tokens attend to all, or the last `num_queries` of them do."""
    tokens = torch.arange(num_tokens)[None]
    queries = tokens if num_queries is None else tokens[:, -num_queries:]
    return TokenLayout(queries, tokens, num_tokens)


def query_layout(num_queries: int, num_tokens: int) -> TokenLayout:
    """Queries that are no tokens attend to all tokens: number q asks for what query q takes."""
    return TokenLayout(torch.arange(num_queries)[None], torch.arange(num_tokens)[None], num_tokens)


def window_layout(height: int, width: int, window_size: int, shift: int = 0) -> TokenLayout:
    """Each token attends to those of its window, on a padded and shifted map."""
    tokens = _in_windows(_numbers(height, width), window_size, shift)
    return TokenLayout(tokens, tokens, height * width)


def reduced_layout(attention: SpatialReductionAttention, height: int, width: int) -> TokenLayout:
    """Each token attends to a reduced map, whose keys stand for squares of tokens."""
    if attention.sr is None:
        return global_layout(height * width)
    ratio = attention.sr_ratio
    if attention.is_linear:
        rows, columns = (_averaged(side, POOLED_SIDE) for side in (height, width))
    else:
        rows, columns = (_squares(side, ratio) for side in (height, width))
    keys = torch.arange(len(rows) * len(columns))[None]
    spread = torch.kron(rows, columns).to_sparse()
    return TokenLayout(torch.arange(height * width)[None], keys, height * width, spread)


def focal_layout(attention: FocalAttention, index: Tensor, height: int, width: int) -> TokenLayout:
    """Each token attends to those of its window, those around it, and pooled ones.

    Args:
        attention: the layer.
        index: (num_windows * M,) the token that each key is, as `FocalAttention.keys` has it.
        height: rows of the padded map.
        width: its columns.
    """
    size = attention.window_size
    queries = _in_windows(_numbers(height, width), size, 0)
    parts = [torch.eye(height * width).to_sparse()]
    for level in attention.levels:
        rows, columns = (
            _pooled(side, side // size * level.per_window, level.pool_size)
            for side in (height, width)
        )
        parts.append(torch.kron(rows, columns).to_sparse())
    parts.append(torch.zeros(1, height * width).to_sparse())  # what is outside
    keys = index.long().cpu().unflatten(0, (len(queries), -1))
    return TokenLayout(queries, keys, height * width, torch.cat(parts))


def _numbers(height: int, width: int) -> Tensor:
    """The number of each token, (1, H, W, 1), from 1: padding is 0."""
    return torch.arange(1, height * width + 1).view(1, height, width, 1)


def _in_windows(numbers: Tensor, window_size: int, shift: int) -> Tensor:
    """Numbers (1, H, W, 1) from 1, as the tokens of windows (num_windows, N) from 0."""
    shifted = pad_and_shift(numbers, window_size, shift)
    return cut_windows(shifted[..., None], window_size)[0, :, 0, :, 0] - 1


def _squares(side: int, ratio: int) -> Tensor:
    """(num_keys, side) shares along an axis that a convolution of kernel = stride reduces; what
    does not fill a kernel is dropped, but of a map smaller than one kernel.
    """
    return _pooled(side, max(side // ratio, 1), ratio, first=0)


def _averaged(side: int, num_keys: int) -> Tensor:
    """(num_keys, side) shares along an axis under adaptive average pooling."""
    shares = torch.zeros(num_keys, side)
    for key in range(num_keys):
        shares[key, key * side // num_keys : -(-(key + 1) * side // num_keys)] = 1
    return shares / shares.sum(1, keepdim=True)


def _pooled(side: int, num_keys: int, pool_size: int, *, first: int | None = None) -> Tensor:
    """(num_keys, side) shares of keys pooled side by side from `first` on, or in the middle."""
    first = (side - num_keys * pool_size) // 2 if first is None else first
    shares = torch.zeros(num_keys, side)
    for key in range(num_keys):
        shares[key, first + key * pool_size : first + (key + 1) * pool_size] = 1
    return shares / shares.sum(1, keepdim=True)
