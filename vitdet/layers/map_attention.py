"""Attention of a plain transformer on a map: global or in windows, by relative position.

Li et al. 2022, "Exploring Plain Vision Transformer Backbones for Object Detection"
(arXiv:2203.16527), section 3.
"""

import torch
from torch import Tensor, nn

from vitdet.layers.attention import attention, attention_weights
from vitdet.layers.decomposed_position import (
    axis_table,
    decomposed_attention,
    decomposed_weights,
)
from vitdet.layers.self_attention import check_heads
from vitdet.layers.windows import cut_windows, join_windows, pad_and_shift, unshift_and_crop


class MapAttention(nn.Module):
    """Attention of each token to all tokens of the map, or to those of its window.

    Args:
        dim: channels.
        num_heads: heads.
        window_size: side of a window in tokens, 0 for global attention.
        rel_pos_size: side in tokens of the square that relative positions are learned for, each
            axis by itself; other sides interpolate them. 0 for none.
        qkv_bias: whether queries, keys and values have a bias.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        *,
        window_size: int = 0,
        rel_pos_size: int = 0,
        qkv_bias: bool = True,
    ) -> None:
        super().__init__()
        check_heads(dim, num_heads)
        self.num_heads = num_heads
        self.window_size = window_size
        self.has_rel_pos = rel_pos_size > 0
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)
        if self.has_rel_pos:
            shape = (2 * rel_pos_size - 1, dim // num_heads)
            self.rel_pos_h = nn.Parameter(torch.zeros(shape))
            self.rel_pos_w = nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (B, H, W, C) to the same shape.

        A map is zero-padded to whole windows, and nothing hides the padding from the other tokens,
        as in the paper's code.
        """
        size, side = x.shape[1:3], self.window_size
        if not side:
            query, key, value = self._projected(x)
            attended = self._attend(query, key, value, *size).transpose(1, 2)
            return self.proj(attended.flatten(2)).unflatten(1, size)
        batch = x.shape[0]
        x = pad_and_shift(x, side, 0)
        query, key, value = self._windows(x)
        attended = self._attend(query, key, value, side, side).unflatten(0, (batch, -1))
        x = join_windows(attended, x.shape[1:3], side)
        return self.proj(unshift_and_crop(x, size, side, 0))

    def weights(self, x: Tensor) -> Tensor:
        """What each token of x: (B, H, W, C) takes of those of its window.

        Returns:
            (B, num_windows, num_heads, N, N); the map is one window where attention is global.
        """
        side = self.window_size
        height, width = (side, side) if side else x.shape[1:3]
        query, key, _ = self._windows(pad_and_shift(x, side, 0)) if side else self._projected(x)
        if self.has_rel_pos:
            weights = decomposed_weights(query, key, *self._tables(height, width))
        else:
            weights = attention_weights(query, key)
        return weights.unflatten(0, (x.shape[0], -1))

    def _projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of x: (B, H, W, C), (B, num_heads, N, D) each."""
        return self._heads(x.flatten(1, 2)).permute(2, 0, 3, 1, 4).unbind(0)

    def _windows(self, x: Tensor) -> list[Tensor]:
        """The same of each window of a padded map, (B * num_windows, num_heads, N, D)."""
        parts = self._heads(x).unbind(3)
        return [cut_windows(part, self.window_size).flatten(0, 1) for part in parts]

    def _heads(self, x: Tensor) -> Tensor:
        """Map x: (..., C) to queries, keys and values, (..., 3, num_heads, D)."""
        return self.qkv(x).unflatten(-1, (3, self.num_heads, -1))

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, height: int, width: int) -> Tensor:
        """Attend within maps of height * width tokens; all are (B, num_heads, N, D)."""
        if not self.has_rel_pos:
            return attention(query, key, value)
        return decomposed_attention(query, key, value, *self._tables(height, width))

    def _tables(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Relative positions along both axes, (H, H, D) and (W, W, D)."""
        return axis_table(self.rel_pos_h, height), axis_table(self.rel_pos_w, width)
