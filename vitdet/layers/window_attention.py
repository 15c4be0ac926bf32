"""Multi-head attention within windows, with a relative position bias (Swin, eq. 4)."""

import torch
from torch import Tensor, nn

from vitdet.errors import UserError
from vitdet.layers.attention import attention, attention_weights
from vitdet.layers.relative_position import relative_position_bias, relative_position_index
from vitdet.layers.windows import cut_windows, join_windows, pad_and_shift, unshift_and_crop


class WindowAttention(nn.Module):
    """Attention of each token to the tokens of its window.

    Queries, keys and values are projected on the map and then cut into windows, so that cutting
    windows and parting heads is one copy instead of two.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        *,
        window_size: int,
        shift: int = 0,
        qkv_bias: bool = True,
    ) -> None:
        super().__init__()
        if dim % num_heads:
            raise UserError(
                f"{dim} channels do not divide among {num_heads} heads; change one of them"
            )
        self.num_heads = num_heads
        self.window_size = window_size
        self.shift = shift
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)
        self.relative_position_bias_table = nn.Parameter(
            torch.empty((2 * window_size - 1) ** 2, num_heads)
        )
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.register_buffer(
            "relative_position_index", relative_position_index(window_size), persistent=False
        )

    def forward(
        self, x: Tensor, mask: Tensor | None = None, *, window_size: int | None = None
    ) -> Tensor:
        """Attend within windows.

        Args:
            x: (B, H, W, C), any size: it is padded to whole windows, and nothing hides the padding
                from the other tokens, as in the paper's code.
            mask: (num_windows, N, N); without it windows are not shifted.
            window_size: side of the windows where they are to be smaller than built.

        Returns:
            (B, H, W, C).
        """
        window_size = window_size or self.window_size
        shift = 0 if mask is None else self.shift
        size = x.shape[1:3]
        x = pad_and_shift(x, window_size, shift)
        query, key, value = self._project(x, window_size)
        merged, bias = self._merging(mask, window_size, query.dtype)
        windows = attention(
            query.flatten(*merged), key.flatten(*merged), value.flatten(*merged), bias=bias
        )

        windows = windows.view(query.shape)
        x = join_windows(windows, x.shape[1:3], window_size)
        return self.proj(unshift_and_crop(x, size, window_size, shift))

    def weights(
        self, x: Tensor, mask: Tensor | None = None, *, window_size: int | None = None
    ) -> Tensor:
        """What each token takes of those of its window, (B, num_windows, num_heads, N, N).

        Arguments as in `forward`; the windows are those of the padded and shifted map.
        """
        window_size = window_size or self.window_size
        x = pad_and_shift(x, window_size, 0 if mask is None else self.shift)
        query, key, _ = self._project(x, window_size)
        merged, bias = self._merging(mask, window_size, query.dtype)
        weights = attention_weights(query.flatten(*merged), key.flatten(*merged), bias=bias)
        return weights.view(*query.shape[:4], -1)

    def _merging(
        self, mask: Tensor | None, window_size: int, dtype: torch.dtype
    ) -> tuple[tuple[int, int], Tensor]:
        """Which axes of (B, num_windows, num_heads, N, D) become one, and the bias then."""
        bias = relative_position_bias(
            self.relative_position_bias_table.to(dtype), self._position_index(window_size)
        )
        if mask is None:
            return (0, 1), bias[None]  # (B * num_windows, num_heads, N, D), one for all windows
        bias = (mask[:, None].to(bias.dtype) + bias).flatten(0, 1)
        return (1, 2), bias[None]  # (B, num_windows * num_heads, N, D), one for all images

    def _position_index(self, window_size: int) -> Tensor:
        """Rows of the bias table for each pair of tokens; a smaller window is a window's corner."""
        index = self.relative_position_index
        if window_size == self.window_size:
            return index
        corner = index.view(4 * (self.window_size,))[(slice(window_size),) * 4]
        return corner.flatten()

    def _project(self, x: Tensor, window_size: int) -> list[Tensor]:
        """Project x: (B, H, W, C) to query, key and value, (B, num_windows, num_heads, N, D) each.

        A function of its own, so that the joint projection is freed when it is cut.
        """
        qkv = self.qkv(x).unflatten(-1, (3, self.num_heads, -1))
        return [cut_windows(part, window_size) for part in qkv.unbind(3)]
