"""Attention of a window to its own tokens, those around it, and pooled ones farther away.

Focal self-attention (Yang et al. 2021, arXiv:2107.00641, section 3.2, eq. 1 to 3), in the form of
its published code.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitdet.errors import UserError
from vitdet.layers.attention import attention, attention_weights
from vitdet.layers.focal_windows import (
    MASKED,
    FocalLevel,
    key_index,
    neighbours,
    pooled_bias_index,
)
from vitdet.layers.relative_position import relative_position_index


class Keys(NamedTuple):
    """What the attention of all blocks of a stage shares.

    Attributes:
        index: (num_windows * M,) the token that each key is, from `key_index`.
        mask: (T, E) further channels of the keys, 0 but for the first one of the last token, which
            stands for all outside the map. The queries have a 1 there: a mask in M channels, where
            added to the logits it would be as large as they are.
        is_expanded: whether there are tokens around the windows among the keys.
    """

    index: Tensor
    mask: Tensor
    is_expanded: bool


class FocalAttention(nn.Module):
    """Focal window attention on a map and its pooled versions.

    Args:
        dim: channels.
        num_heads: heads.
        window_size: side of a window.
        expand_size: how far tokens around a window are seen one by one, 0 for none.
        levels: of the pooled tokens.
        qkv_bias: whether queries, keys and values have a bias.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        *,
        window_size: int,
        expand_size: int,
        levels: tuple[FocalLevel, ...],
        qkv_bias: bool = True,
    ) -> None:
        super().__init__()
        if dim % num_heads:
            raise UserError(
                f"{dim} channels do not divide among {num_heads} heads; change one of them"
            )
        self.num_heads = num_heads
        self.window_size = window_size
        self.expand_size = expand_size
        self.levels = levels
        self.scale = (dim // num_heads) ** -0.5
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)
        num_tokens = window_size**2
        self.relative_position_bias_table = nn.Parameter(
            torch.zeros((2 * window_size - 1) ** 2, num_heads)
        )
        position = torch.arange(window_size)
        offsets = torch.cartesian_prod(position, position).t()
        self._register("own_bias_index", relative_position_index(window_size))
        if expand_size:
            around = neighbours(window_size, expand_size)
            self.relative_position_bias_table_to_neighbors = nn.Parameter(
                torch.empty(1, num_heads, num_tokens, len(around.single) + around.double.numel())
            )
            nn.init.trunc_normal_(self.relative_position_bias_table_to_neighbors, std=0.02)
            self._register("columns_shown_once", around.single)
            self._register("columns_shown_twice", around.double)
            self._register("expanded_offsets", torch.cat([offsets, around.offsets], dim=1))
        self._register("offsets", offsets)
        self.relative_position_bias_table_to_windows = nn.ParameterList(
            torch.empty(num_heads, (window_size + level.num_seen - 1) ** 2) for level in levels
        )
        for index, level in enumerate(levels):
            nn.init.trunc_normal_(self.relative_position_bias_table_to_windows[index], std=0.02)
            self._register(
                f"pooled_bias_index_{index}", pooled_bias_index(window_size, level.num_seen)
            )

    def _register(self, name: str, value: Tensor) -> None:
        self.register_buffer(name, value, persistent=False)

    def keys(self, height: int, width: int) -> Keys:
        """Lay out the keys for a map of height x width tokens, not yet padded.

        Where a map is no larger than a window along one axis, nothing is added around windows, as
        in the paper's code.
        """
        rows, columns = -(-height // self.window_size), -(-width // self.window_size)
        is_expanded = self.expand_size > 0 and min(height, width) > self.window_size
        offsets = self.expanded_offsets if is_expanded else self.offsets
        index = key_index(offsets, self.window_size, self.levels, rows, columns)
        num_tokens = 1 + rows * columns * (
            self.window_size**2 + sum(level.per_window**2 for level in self.levels)
        )
        head_dim = self.qkv.in_features // self.num_heads
        # The fused kernels want multiples of 8 channels.
        needs_mask = any(level.reach for level in self.levels)
        extra = 8 - head_dim % 8 if needs_mask else 0
        mask = F.pad(
            self.qkv.weight.new_full((1, min(extra, 1)), MASKED),
            (0, max(extra - 1, 0), num_tokens - 1, 0),
        )
        return Keys(index, mask, is_expanded)

    def forward(self, x: Tensor, pooled: list[Tensor], keys: Keys) -> Tensor:
        """Attend within windows and their surroundings.

        Args:
            x: (B, H, W, C), H and W multiples of the window.
            pooled: (B, H_l, W_l, C) per level, `per_window` rows and columns for each window.
            keys: from `keys`.

        Returns:
            (B, H, W, C).
        """
        query, key, value = self._project(x, pooled, keys)
        bias = self._bias_of_images(x.shape[0], keys, query.dtype)
        windows = attention(query, key, value, bias=bias, scale=1.0)
        windows = windows[..., : x.shape[-1] // self.num_heads]
        return self.proj(self._join_windows(windows, x))

    def weights(self, x: Tensor, pooled: list[Tensor], keys: Keys) -> Tensor:
        """What each token takes of its window's keys, (B, num_windows, num_heads, N, M).

        Arguments as in `forward`; `keys.index` says which token each key is.
        """
        query, key, _ = self._project(x, pooled, keys)
        bias = self._bias_of_images(x.shape[0], keys, query.dtype)
        weights = attention_weights(query, key, bias=bias, scale=1.0)
        return weights.unflatten(0, (x.shape[0], -1)).transpose(1, 2)

    def _bias_of_images(self, batch: int, keys: Keys, dtype: torch.dtype) -> Tensor:
        """The biases of all keys, for each image again, (B * num_heads, 1, N, M)."""
        bias = self._bias(keys.is_expanded).to(dtype)
        return bias.expand(batch, -1, -1, -1).reshape(-1, 1, *bias.shape[1:])

    def _project(self, x: Tensor, pooled: list[Tensor], keys: Keys) -> tuple[Tensor, ...]:
        """Project to query: (B * num_heads, num_windows, N, D), key and value: (..., M, D).

        A function of its own, so that all that lies between is freed.
        """
        batch, height, width, dim = x.shape
        size = self.window_size
        outside = x.new_zeros(batch, 1, dim)
        tokens = torch.cat([*(part.flatten(1, 2) for part in (x, *pooled)), outside], dim=1)
        query, key, value = self.qkv(tokens).unflatten(-1, (3, self.num_heads, -1)).unbind(2)
        extra = keys.mask.shape[1]
        # There are several times more keys than channels: the logits are not the place to scale.
        query = query[:, : height * width] * self.scale
        query = query.unflatten(1, (height // size, size, width // size, size))
        query = query.permute(0, 5, 1, 3, 2, 4, 6)  # (B, heads, rows, columns, size, size, D)
        query = F.pad(query, (0, extra), value=1.0) if extra else query
        query = query.reshape(batch * self.num_heads, -1, size**2, query.shape[-1])

        key, value = key.transpose(1, 2), value.transpose(1, 2)  # (B, heads, T, D)
        if extra:
            mask = keys.mask.to(key.dtype).expand(*key.shape[:2], -1, -1)
            key, value = torch.cat([key, mask], dim=-1), F.pad(value, (0, extra))
        key, value = (
            part.flatten(0, 1).index_select(1, keys.index).unflatten(1, (query.shape[1], -1))
            for part in (key, value)
        )
        return query, key, value

    def _bias(self, is_expanded: bool) -> Tensor:
        """Biases of all keys of a window, (num_heads, N, M)."""
        num_tokens = self.window_size**2
        table = self.relative_position_bias_table.float()
        own = table.index_select(0, self.own_bias_index).view(num_tokens, num_tokens, -1)
        parts = [own.permute(2, 0, 1)]
        if is_expanded:
            around = self.relative_position_bias_table_to_neighbors[0].float()
            parts.append(around.index_select(2, self.columns_shown_once))
            first, second = (
                around.index_select(2, columns) for columns in self.columns_shown_twice
            )
            parts.append(torch.logaddexp(first, second))
        for index, table in enumerate(self.relative_position_bias_table_to_windows):
            columns = getattr(self, f"pooled_bias_index_{index}")
            bias = table.float().index_select(1, columns)
            parts.append(bias.unflatten(1, (num_tokens, -1)))
        bias = torch.cat(parts, dim=-1)
        if bias.device.type != "cuda":
            return bias
        # Rows that start at multiples of 8 elements, as the fused kernels want them.
        return F.pad(bias, (0, -bias.shape[-1] % 8))[..., : bias.shape[-1]]

    def _join_windows(self, windows: Tensor, x: Tensor) -> Tensor:
        """Lay windows: (B * num_heads, num_windows, N, D) out as x: (B, H, W, C) is."""
        batch, height, width, _ = x.shape
        size = self.window_size
        windows = windows.unflatten(2, (size, size)).unflatten(1, (height // size, width // size))
        windows = windows.unflatten(0, (batch, self.num_heads))
        windows = windows.permute(0, 2, 4, 3, 5, 1, 6)  # (B, rows, size, columns, size, heads, D)
        return windows.reshape(x.shape)
