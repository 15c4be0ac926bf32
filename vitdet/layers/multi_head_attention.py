"""Multi-head attention between two sets of tokens (Vaswani et al. 2017, arXiv:1706.03762)."""

import torch.nn.functional as F
from torch import Tensor, nn

from vitdet.layers.attention import attention, attention_weights
from vitdet.layers.self_attention import check_heads


class MultiHeadAttention(nn.Module):
    """Attention of queries to keys, all of C channels.

    `qkv` holds the three projections, as in self-attention, where the first two are one product.
    """

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        check_heads(dim, num_heads)
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        nn.init.xavier_uniform_(self.qkv.weight)
        nn.init.xavier_uniform_(self.proj.weight)
        for layer in (self.qkv, self.proj):
            nn.init.zeros_(layer.bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        *,
        bias: Tensor | None = None,
        weights: list[Tensor] | None = None,
    ) -> Tensor:
        """Attend.

        Args:
            query: (B, N, C).
            key: (B, M, C); the same object as `query` in self-attention.
            value: (B, M, C).
            bias: added to the logits, broadcastable to (B, num_heads, N, M).
            weights: a list that receives the attention weights, (B, num_heads, N, M); asking for
                them is slower.

        Returns:
            (B, N, C).
        """
        dim = query.shape[-1]
        weight, shift = self.qkv.weight, self.qkv.bias
        if key is query:
            both = F.linear(query, weight[: 2 * dim], shift[: 2 * dim])
            query, key = both.chunk(2, dim=-1)
        else:
            query = F.linear(query, weight[:dim], shift[:dim])
            key = F.linear(key, weight[dim : 2 * dim], shift[dim : 2 * dim])
        value = F.linear(value, weight[2 * dim :], shift[2 * dim :])
        query, key, value = (
            x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)  # (B, num_heads, N or M, D)
            for x in (query, key, value)
        )
        if bias is not None:
            bias = bias.to(query.dtype)
        if weights is None:
            x = attention(query, key, value, bias=bias)
        else:
            weights.append(attention_weights(query, key, bias=bias))
            x = weights[-1] @ value
        return self.proj(x.transpose(1, 2).flatten(2))
