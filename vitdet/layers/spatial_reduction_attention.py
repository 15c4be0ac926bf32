"""Attention of every token to a smaller map (PVT, section 3.3, arXiv:2102.12122)."""

import torch.nn.functional as F
from torch import Tensor, nn

from vitdet.errors import UserError
from vitdet.layers.attention import attention, attention_weights
from vitdet.layers.patch_projection import project_patches

POOLED_SIDE = 7  # of linear attention's keys, PVT v2, section 3.1


class SpatialReductionAttention(nn.Module):
    """Multi-head attention whose keys and values come from a reduced map.

    The map is reduced by a convolution whose kernel and stride are `sr_ratio`, which drops what
    does not fill a kernel, and a norm. Linear attention (PVT v2, section 3.1, arXiv:2106.13797)
    averages it to 7x7 whatever its size; a 1x1 convolution, a norm and GELU follow.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        *,
        sr_ratio: int = 1,
        qkv_bias: bool = True,
        is_linear: bool = False,
    ) -> None:
        super().__init__()
        if dim % num_heads:
            raise UserError(
                f"{dim} channels do not divide among {num_heads} heads; change one of them"
            )
        self.num_heads = num_heads
        self.is_linear = is_linear
        self.sr_ratio = 1 if is_linear else sr_ratio
        self.q = nn.Linear(dim, dim, bias=qkv_bias)
        self.kv = nn.Linear(dim, 2 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)
        self.sr = None
        if is_linear or sr_ratio > 1:
            self.sr = nn.Conv2d(dim, dim, self.sr_ratio, stride=self.sr_ratio)
            self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Attend to the reduced map.

        Args:
            x: (B, H, W, C); where nothing is reduced (B, N, C), too.

        Returns:
            The shape of `x`.
        """
        query, key, value = self._projected(x)
        out = attention(query, key, value)
        return self.proj(out.transpose(1, 2).reshape(x.shape))

    def weights(self, x: Tensor) -> Tensor:
        """What each token takes of the reduced map's, (B, num_heads, N, M); x as in `forward`."""
        query, key, _ = self._projected(x)
        return attention_weights(query, key)

    def _projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries (B, num_heads, N, D) of x, keys and values (B, num_heads, M, D)."""
        query = self.q(x).flatten(1, -2).unflatten(-1, (self.num_heads, -1))
        keys_and_values = self.kv(x if self.sr is None else self._reduce(x)).flatten(1, -2)
        key, value = keys_and_values.unflatten(-1, (2, self.num_heads, -1)).unbind(2)
        return query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)

    def _reduce(self, x: Tensor) -> Tensor:
        """Map x: (B, H, W, C) to (B, H / sr_ratio, W / sr_ratio, C) or (B, 7, 7, C)."""
        if self.is_linear:
            pooled = F.adaptive_avg_pool2d(x.permute(0, 3, 1, 2), POOLED_SIDE)
            return F.gelu(self.norm(project_patches(pooled.permute(0, 2, 3, 1), self.sr)))
        pad_bottom, pad_right = (max(self.sr_ratio - side, 0) for side in x.shape[1:3])
        if pad_bottom or pad_right:  # the map is smaller than one kernel
            x = F.pad(x, (0, 0, 0, pad_right, 0, pad_bottom))
        return self.norm(project_patches(x, self.sr))
