"""DETR's encoder and decoder (Carion et al. 2020, arXiv:2005.12872, sec. 3.2 and appendix A.3).

Tokens are (B, N, C). Positions are added to queries and keys, in every layer, never to values.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitdet.layers import FeedForward, MultiHeadAttention


class DetrTransformer(nn.Module):
    """Encodes the tokens of a map, and decodes object queries from them.

    Args:
        dim: C.
        num_heads: heads of each attention.
        num_encoder_layers: may be 0.
        num_decoder_layers: at least 1.
        feedforward_channels: hidden channels of the feed-forward networks.
        dropout: rate after every attention and feed-forward network, as in the paper. Its code also
            drops attention weights and hidden channels, transformers' models do neither.
        pre_norm: normalize before each part instead of after its addition.
    """

    def __init__(
        self,
        dim: int = 256,
        num_heads: int = 8,
        *,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        feedforward_channels: int = 2048,
        dropout: float = 0.1,
        pre_norm: bool = False,
    ) -> None:
        super().__init__()
        args = dict(hidden_dim=feedforward_channels, dropout=dropout, pre_norm=pre_norm)
        self.encoder = nn.Module()
        self.encoder.layers = nn.ModuleList(
            EncoderLayer(dim, num_heads, **args) for _ in range(num_encoder_layers)
        )
        self.encoder.norm = nn.LayerNorm(dim) if pre_norm else nn.Identity()
        self.decoder = nn.Module()
        self.decoder.layers = nn.ModuleList(
            DecoderLayer(dim, num_heads, **args) for _ in range(num_decoder_layers)
        )
        self.decoder.norm = nn.LayerNorm(dim)
        for parameter in self.parameters():
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter)

    def encode(
        self,
        tokens: Tensor,
        positions: Tensor,
        *,
        bias: Tensor | None = None,
        weights: list[Tensor] | None = None,
    ) -> Tensor:
        """Let the tokens of the map attend to each other.

        Args:
            tokens: (B, N, C).
            positions: (B, N, C).
            bias: (B, 1, 1, N) added to the logits of each key, minus infinity on padding.
            weights: a list that receives the attention weights of each layer.

        Returns:
            The memory, (B, N, C).
        """
        for layer in self.encoder.layers:
            tokens = layer(tokens, positions, bias=bias, weights=weights)
        return self.encoder.norm(tokens)

    def decode(
        self,
        memory: Tensor,
        positions: Tensor,
        query_positions: Tensor,
        *,
        bias: Tensor | None = None,
        weights: list[Tensor] | None = None,
    ) -> Tensor:
        """Let the queries attend to each other and to the memory.

        Args:
            memory: (B, N, C).
            positions: (B, N, C), the memory's.
            query_positions: (Q, C), what tells the queries apart.
            bias: as in `encode`.
            weights: a list that receives for each layer the weights among the queries, then those
                to the memory.

        Returns:
            The queries after each layer, normalized, (num_layers, B, Q, C).
        """
        query_positions = query_positions.to(memory.dtype).expand(memory.shape[0], -1, -1)
        queries = torch.zeros_like(query_positions)
        keys = memory + positions  # the same for all layers
        states = []
        for layer in self.decoder.layers:
            queries = layer(queries, query_positions, keys, memory, bias=bias, weights=weights)
            states.append(queries)
        return self.decoder.norm(torch.stack(states))


class Residual(nn.Module):
    """What both kinds of layers do around each of their parts."""

    def __init__(self, *, dropout: float, pre_norm: bool) -> None:
        super().__init__()
        self.pre_norm = pre_norm
        self.dropout = nn.Dropout(dropout)

    def add(self, x: Tensor, part: Callable[[Tensor], Tensor], norm: nn.Module) -> Tensor:
        """Add the output of `part` to x, which is normalized before or after."""
        if self.pre_norm:
            return x + self.dropout(part(norm(x)))
        return norm(x + self.dropout(part(x)))


class EncoderLayer(Residual):
    """Self-attention and a feed-forward network."""

    def __init__(
        self, dim: int, num_heads: int, *, hidden_dim: int, dropout: float, pre_norm: bool
    ) -> None:
        super().__init__(dropout=dropout, pre_norm=pre_norm)
        self.self_attn = MultiHeadAttention(dim, num_heads)
        self.norm1 = nn.LayerNorm(dim)
        self.mlp = FeedForward(dim, hidden_dim, activation=F.relu)
        self.norm2 = nn.LayerNorm(dim)

    def forward(
        self, x: Tensor, positions: Tensor, *, bias: Tensor | None, weights: list[Tensor] | None
    ) -> Tensor:
        """Map x: (B, N, C) to the same shape; the others as in `DetrTransformer.encode`."""

        def attend(x: Tensor) -> Tensor:
            keys = x + positions
            return self.self_attn(keys, keys, x, bias=bias, weights=weights)

        x = self.add(x, attend, self.norm1)
        return self.add(x, self.mlp, self.norm2)


class DecoderLayer(Residual):
    """Self-attention of the queries, attention to the memory, and a feed-forward network."""

    def __init__(
        self, dim: int, num_heads: int, *, hidden_dim: int, dropout: float, pre_norm: bool
    ) -> None:
        super().__init__(dropout=dropout, pre_norm=pre_norm)
        self.self_attn = MultiHeadAttention(dim, num_heads)
        self.norm1 = nn.LayerNorm(dim)
        self.cross_attn = MultiHeadAttention(dim, num_heads)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = FeedForward(dim, hidden_dim, activation=F.relu)
        self.norm3 = nn.LayerNorm(dim)

    def forward(
        self,
        x: Tensor,
        positions: Tensor,
        keys: Tensor,
        memory: Tensor,
        *,
        bias: Tensor | None,
        weights: list[Tensor] | None,
    ) -> Tensor:
        """Map x: (B, Q, C) to the same shape.

        `positions`: (B, Q, C) are those of x; `keys` and `memory`: (B, N, C); the others as in
        `DetrTransformer.decode`.
        """

        def attend_within(x: Tensor) -> Tensor:
            keys = x + positions
            return self.self_attn(keys, keys, x, weights=weights)

        def attend_to_memory(x: Tensor) -> Tensor:
            return self.cross_attn(x + positions, keys, memory, bias=bias, weights=weights)

        x = self.add(x, attend_within, self.norm1)
        x = self.add(x, attend_to_memory, self.norm2)
        return self.add(x, self.mlp, self.norm3)
