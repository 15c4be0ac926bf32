"""Cosine attention within windows, with a continuous position bias (Swin v2, secs. 3.3, 3.4)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitdet.layers.attention import attention, attention_weights
from vitdet.layers.relative_position import relative_position_bias
from vitdet.layers.self_attention import check_heads
from vitdet.layers.windows import cut_windows, join_windows, pad_and_shift, unshift_and_crop

MAX_LOGIT_SCALE = 100.0  # one over the smallest temperature, 0.01
BIAS_HIDDEN_DIM = 512


class CosineWindowAttention(nn.Module):
    """Attention of each token to the tokens of its window by the angle between their features.

    The logits are cosines over a learned temperature of each head, plus a bias that a small network
    makes of the log-spaced offset between two tokens, so that it answers for windows of any size.
    """

    def __init__(self, dim: int, num_heads: int, *, shift: int = 0, qkv_bias: bool = True) -> None:
        super().__init__()
        check_heads(dim, num_heads)
        self.num_heads = num_heads
        self.shift = shift
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        # Keys have none.
        self.q_bias = nn.Parameter(torch.zeros(dim)) if qkv_bias else None
        self.v_bias = nn.Parameter(torch.zeros(dim)) if qkv_bias else None
        self.proj = nn.Linear(dim, dim)
        self.logit_scale = nn.Parameter(torch.full((num_heads, 1, 1), math.log(10)))
        self.cpb_mlp = nn.Sequential(
            nn.Linear(2, BIAS_HIDDEN_DIM),
            nn.ReLU(),
            nn.Linear(BIAS_HIDDEN_DIM, num_heads, bias=False),
        )

    def forward(
        self,
        x: Tensor,
        offsets: Tensor,
        index: Tensor,
        mask: Tensor | None = None,
        *,
        window_size: int,
    ) -> Tensor:
        """Attend within windows.

        Args:
            x: (B, H, W, C), any size: it is padded to whole windows, and nothing hides the padding
                from the other tokens, as in Swin v1's code for detection.
            offsets: ((2 * window_size - 1)**2, 2) from `log_spaced_offsets`.
            index: (N * N,) from `relative_position_index`.
            mask: (num_windows, N, N); without it windows are not shifted.
            window_size: side of a window in tokens.

        Returns:
            (B, H, W, C).
        """
        shift = 0 if mask is None else self.shift
        size = x.shape[1:3]
        x = pad_and_shift(x, window_size, shift)
        query, key, value = self._project(x, window_size)
        merged, bias = self._merging(offsets, index, mask, query.dtype)
        windows = attention(
            query.flatten(*merged),
            key.flatten(*merged),
            value.flatten(*merged),
            bias=bias,
            scale=1.0,
        )

        x = join_windows(windows.view(query.shape), x.shape[1:3], window_size)
        return self.proj(unshift_and_crop(x, size, window_size, shift))

    def weights(
        self,
        x: Tensor,
        offsets: Tensor,
        index: Tensor,
        mask: Tensor | None = None,
        *,
        window_size: int,
    ) -> Tensor:
        """What each token takes of those of its window, (B, num_windows, num_heads, N, N).

        Arguments as in `forward`; the windows are those of the padded and shifted map.
        """
        x = pad_and_shift(x, window_size, 0 if mask is None else self.shift)
        query, key, _ = self._project(x, window_size)
        merged, bias = self._merging(offsets, index, mask, query.dtype)
        weights = attention_weights(
            query.flatten(*merged), key.flatten(*merged), bias=bias, scale=1.0
        )
        return weights.view(*query.shape[:4], -1)

    def _merging(
        self, offsets: Tensor, index: Tensor, mask: Tensor | None, dtype: torch.dtype
    ) -> tuple[tuple[int, int], Tensor]:
        """Which axes of (B, num_windows, num_heads, N, D) become one, and the bias then."""
        bias = relative_position_bias(self._bias_table(offsets).to(dtype), index)
        if mask is None:
            return (0, 1), bias[None]  # (B * num_windows, num_heads, N, D), one for all windows
        bias = (mask[:, None].to(bias.dtype) + bias).flatten(0, 1)
        return (1, 2), bias[None]  # (B, num_windows * num_heads, N, D), one for all images

    def _project(self, x: Tensor, window_size: int) -> list[Tensor]:
        """Project x: (B, H, W, C) to query, key and value, (B, num_windows, num_heads, N, D) each.

        Queries have the length of their head's scale, keys that of 1.
        """
        bias = self.q_bias
        if bias is not None:
            bias = torch.cat([bias, torch.zeros_like(bias), self.v_bias])
        qkv = F.linear(x, self.qkv.weight, bias).unflatten(-1, (3, self.num_heads, -1))
        query_and_key, value = qkv.split([2, 1], dim=3)
        scale = self.logit_scale.clamp(max=math.log(MAX_LOGIT_SCALE)).exp().view(1, -1, 1)
        lengths = torch.cat([scale, torch.ones_like(scale)])  # (2, num_heads, 1)
        norms = torch.linalg.vector_norm(query_and_key, dim=-1, keepdim=True, dtype=lengths.dtype)
        # Both in one pass, the scale included.
        query_and_key = query_and_key * (lengths / norms.clamp_min(1e-12)).to(qkv.dtype)
        parts = (*query_and_key.unbind(3), value.squeeze(3))
        return [cut_windows(part, window_size) for part in parts]

    def _bias_table(self, offsets: Tensor) -> Tensor:
        """Map offsets: (S, 2) to a bias in [-8, 8] per head, (S, num_heads).

        The paper's 16 sigmoid(x), less 8: the softmax does not see the difference, but bfloat16
        has more digits around 0.
        """
        return 8 * torch.tanh(self.cpb_mlp(offsets) / 2)
