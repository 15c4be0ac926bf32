"""DETR's masks: attention maps, refined and enlarged (Carion et al. 2020, sec. 4.4, fig. 8)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitdet.errors import UserError

NORM_GROUPS = 8


class MaskHead(nn.Module):
    """A mask for each query it is given, at the stride of the finest map.

    Args:
        dim: C of queries and memory.
        num_heads: attention maps per query.
        in_channels: of the backbone's maps, finest first; the last one is what was encoded.
        attention_gain: factor of the first weights of what the attention maps go through. These
            add up to 1 over all heads and places, and so are drowned by the features beside them:
            with 1, as published, masks of different queries stay alike for long. About heads times
            places lets them differ from the start. Loaded weights know nothing of it.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        in_channels: Sequence[int],
        *,
        attention_gain: float = 1.0,
    ) -> None:
        super().__init__()
        finer = list(reversed(in_channels[:-1]))
        if len(finer) != 3:
            raise UserError(
                f"masks need 4 maps of the backbone, not {len(in_channels)}; set its out_indices"
            )
        widths = [dim + num_heads, dim // 2, dim // 4, dim // 8, dim // 16]
        if any(width % NORM_GROUPS for width in widths):
            raise UserError(
                f"masks need embed_dims in multiples of {16 * NORM_GROUPS} and num_heads in "
                f"multiples of {NORM_GROUPS}, not {dim} and {num_heads} (num_mask_heads may differ)"
            )
        self.num_heads = num_heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        inputs = [widths[0], *widths[:-1]]
        self.convs = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1)
            for before, after in zip(inputs, widths, strict=True)
        )
        self.norms = nn.ModuleList(nn.GroupNorm(NORM_GROUPS, width) for width in widths)
        self.adapters = nn.ModuleList(
            nn.Conv2d(channels, width, 1)
            for channels, width in zip(finer, widths[1:4], strict=True)
        )
        self.out = nn.Conv2d(widths[-1], 1, 3, padding=1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_uniform_(layer.weight, a=1)
                nn.init.zeros_(layer.bias)
        with torch.no_grad():
            self.convs[0].weight[:, dim:] *= attention_gain
        for layer in (self.query, self.key):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self,
        queries: Tensor,
        images: Tensor,
        *,
        projected: Tensor,
        memory: Tensor,
        is_padding: Tensor,
        maps: Sequence[Tensor],
    ) -> Tensor:
        """Compute the masks of some queries, of whichever image.

        Args:
            queries: (M, C) decoded.
            images: (M,) the image that each belongs to.
            projected: (B, C, h, w) what was encoded.
            memory: (B, C, h, w) the encoding.
            is_padding: (B, h, w).
            maps: the backbone's finer maps, (B, C_l, H_l, W_l), finest first.

        Returns:
            (M, H, W) logits at the size of the finest map.
        """
        attention = self._attention_maps(queries, images, memory, is_padding)
        x = projected.new_zeros(len(images), self.convs[0].in_channels, *projected.shape[2:])
        x[:, : projected.shape[1]] = projected[images]
        x[:, projected.shape[1] :] = attention
        for index, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            if index >= 2:
                adapted = self.adapters[index - 2](maps[-(index - 1)])
                x = adapted[images] + F.interpolate(x, size=adapted.shape[2:])
            x = F.relu(norm(conv(x)))
        return self.out(x)[:, 0]

    def _attention_maps(
        self, queries: Tensor, images: Tensor, memory: Tensor, is_padding: Tensor
    ) -> Tensor:
        """(M, num_heads, h, w), adding up to 1 over all heads and places of a query."""
        head_dim = queries.shape[-1] // self.num_heads
        query = self.query(queries).unflatten(1, (self.num_heads, head_dim)) * head_dim**-0.5
        key = F.conv2d(memory, self.key.weight[..., None, None], self.key.bias)
        key = key.unflatten(1, (self.num_heads, head_dim)).flatten(3)  # (B, num_heads, D, h * w)
        logits = (query[:, :, None] @ key[images])[:, :, 0]  # (M, num_heads, h * w)
        logits = logits.masked_fill(is_padding.flatten(1)[images][:, None], float("-inf"))
        weights = logits.flatten(1).softmax(-1)
        return weights.view(-1, self.num_heads, *memory.shape[2:])
