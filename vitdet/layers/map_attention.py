"""Attention of a plain transformer on a map: global or in windows, by relative position.

Li et al. 2022, "Exploring Plain Vision Transformer Backbones for Object Detection"
(arXiv:2203.16527), section 3.
"""

import torch
from torch import Tensor, nn

from vitdet.layers.attention import attention
from vitdet.layers.decomposed_position import axis_table, decomposed_attention
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
        if not self.window_size:
            size = x.shape[1:3]
            query, key, value = self._heads(x.flatten(1, 2)).permute(2, 0, 3, 1, 4).unbind(0)
            attended = self._attend(query, key, value, *size).transpose(1, 2)
            return self.proj(attended.flatten(2)).unflatten(1, size)
        size, side = x.shape[1:3], self.window_size
        x = pad_and_shift(x, side, 0)
        windows = [cut_windows(part, side) for part in self._heads(x).unbind(3)]
        query, key, value = (part.flatten(0, 1) for part in windows)
        attended = self._attend(query, key, value, side, side).view(windows[0].shape)
        x = join_windows(attended, x.shape[1:3], side)
        return self.proj(unshift_and_crop(x, size, side, 0))

    def _heads(self, x: Tensor) -> Tensor:
        """Map x: (..., C) to queries, keys and values, (..., 3, num_heads, D)."""
        return self.qkv(x).unflatten(-1, (3, self.num_heads, -1))

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, height: int, width: int) -> Tensor:
        """Attend within maps of height * width tokens; all are (B, num_heads, N, D)."""
        if not self.has_rel_pos:
            return attention(query, key, value)
        rows, columns = axis_table(self.rel_pos_h, height), axis_table(self.rel_pos_w, width)
        return decomposed_attention(query, key, value, rows, columns)
