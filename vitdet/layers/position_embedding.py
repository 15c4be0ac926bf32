"""Learned absolute position embeddings, resized to the map at hand."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor


def resize_position_embedding(
    embedding: Tensor, size: Sequence[int], *, mode: str = "bicubic", antialias: bool = False
) -> Tensor:
    """Interpolate embedding: (1, C, H', W') to (1, C, H, W), bicubic or bilinear as published."""
    if tuple(embedding.shape[2:]) == tuple(size):
        return embedding
    return F.interpolate(
        embedding, size=tuple(size), mode=mode, align_corners=False, antialias=antialias
    )


def tokens_to_grid(embedding: Tensor) -> Tensor:
    """Lay embedding: (1, N, C) of a square map out as (1, C, H, W)."""
    side = round(embedding.shape[1] ** 0.5)
    return embedding.transpose(1, 2).unflatten(2, (side, side))
