"""Multi-head self-attention of a sequence (Vaswani et al. 2017, arXiv:1706.03762)."""

from torch import Tensor, nn

from vitdet.errors import UserError
from vitdet.layers.attention import attention, attention_weights, prefers_tokens_last


class SelfAttention(nn.Module):
    """Attention of each token to all tokens."""

    def __init__(self, dim: int, num_heads: int, *, qkv_bias: bool = True) -> None:
        super().__init__()
        check_heads(dim, num_heads)
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, *, num_queries: int | None = None) -> Tensor:
        """Attend.

        Args:
            x: (B, N, C).
            num_queries: how many of the tokens, the last ones, attend to all; by default all do.

        Returns:
            (B, num_queries or N, C).
        """
        query, key, value = self._projected(x)
        if num_queries is not None:
            query = query[:, :, -num_queries:]
        return self.proj(attention(query, key, value).transpose(1, 2).flatten(2))

    def weights(self, x: Tensor, *, num_queries: int | None = None) -> Tensor:
        """What each query takes of all tokens, (B, num_heads, num_queries or N, N), arguments as in
        `forward`.
        """
        query, key, _ = self._projected(x)
        if num_queries is not None:
            query = query[:, :, -num_queries:]
        return attention_weights(query, key)

    def _projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of x: (B, N, C), (B, num_heads, N, D) each."""
        qkv = self.qkv(x).unflatten(-1, (3, self.num_heads, -1))
        qkv = qkv.permute(2, 0, 3, 1, 4)
        if prefers_tokens_last(qkv):
            qkv = qkv.transpose(-2, -1).contiguous().transpose(-2, -1)
        return qkv.unbind(0)


def check_heads(dim: int, num_heads: int) -> None:
    """Raise UserError unless the channels divide among the heads."""
    if dim % num_heads:
        raise UserError(f"{dim} channels do not divide among {num_heads} heads; change one of them")
