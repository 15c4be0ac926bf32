"""Relative positions along each axis by themselves, weighed by the query.

Li et al. 2022, "MViTv2" (arXiv:2112.01526), eq. 4; used by ViTDet (arXiv:2203.16527): the logit of
a query at (y, x) and a key at (y', x') grows by query . R_h[y - y'] + query . R_w[x - x'].
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from vitdet.layers.attention import attention, attention_weights


def axis_table(table: Tensor, length: int) -> Tensor:
    """Lay a table of relative positions out for all pairs of positions on an axis.

    Args:
        table: (2S - 1, D), a row per offset, from -(S - 1); interpolated (linearly, as published)
            where S is not `length`.
        length: positions on the axis.

    Returns:
        (length, length, D): `[y, y']` is the row of offset y - y'.
    """
    num_offsets = 2 * length - 1
    if table.shape[0] != num_offsets:
        table = resize_axis_table(table, num_offsets)
    position = torch.arange(length, device=table.device)
    offset = position[:, None] - position[None, :] + length - 1  # query minus key, from 0
    return table.index_select(0, offset.flatten()).unflatten(0, (length, length))


def resize_axis_table(table: Tensor, num_offsets: int) -> Tensor:
    """Interpolate table: (2S - 1, D) to (num_offsets, D)."""
    columns = table.float().t()[None]
    return F.interpolate(columns, size=num_offsets, mode="linear")[0].t().to(table.dtype)


def decomposed_attention(
    query: Tensor, key: Tensor, value: Tensor, rows: Tensor, columns: Tensor
) -> Tensor:
    """Attention between all positions of a map, or of a window, biased as above.

    On a GPU no bias of N x N per head and image is made: the query carries its products with the
    tables as further channels, and the key a one where such a channel is meant for it, so that
    their dot product is the biased logit and the fused kernels need nothing else. On a CPU, whose
    kernels take longer for more channels, the bias is added.

    Args:
        query: (B, num_heads, N, D) with N = H * W, row by row.
        key: as `query`.
        value: as `query`.
        rows: (H, H, D) from `axis_table`.
        columns: (W, W, D) likewise.

    Returns:
        (B, num_heads, N, D).
    """
    by_row, by_column = _biases(query, rows, columns)
    if query.device.type == "cuda":
        return attention_with_channels(query, key, value, by_row, by_column)
    bias = by_row[..., :, None] + by_column[..., None, :]  # (B, num_heads, N, H, W)
    return attention(query, key, value, bias=bias.flatten(3))


def decomposed_weights(query: Tensor, key: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """What each query takes of each value, (B, num_heads, N, N); as in `decomposed_attention`."""
    by_row, by_column = _biases(query, rows, columns)
    bias = by_row[..., :, None] + by_column[..., None, :]
    return attention_weights(query, key, bias=bias.flatten(3))


def _biases(query: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """What each query's logits grow by in each row, (B, num_heads, N, H), and column, (..., W)."""
    grid = query.unflatten(2, (rows.shape[0], columns.shape[0]))  # (B, num_heads, H, W, D)
    by_row = torch.einsum("bhyxd,ykd->bhyxk", grid, rows.to(query.dtype)).flatten(2, 3)
    by_column = torch.einsum("bhyxd,xkd->bhyxk", grid, columns.to(query.dtype)).flatten(2, 3)
    return by_row, by_column


def attention_with_channels(
    query: Tensor, key: Tensor, value: Tensor, by_row: Tensor, by_column: Tensor
) -> Tensor:
    """`attention` with bias[n, (y, x)] = by_row[n, y] + by_column[n, x], as dot products.

    Args:
        query: (B, num_heads, N, D) with N = H * W; key and value likewise.
        by_row: (B, num_heads, N, H).
        by_column: (B, num_heads, N, W).
    """
    dim, height, width = query.shape[-1], by_row.shape[-1], by_column.shape[-1]
    spare = -(dim + height + width) % 8  # the kernels want multiples of 8 channels
    is_row = torch.eye(height, dtype=key.dtype, device=key.device).repeat_interleave(width, 0)
    is_column = torch.eye(width, dtype=key.dtype, device=key.device).repeat(height, 1)
    marks = F.pad(torch.cat([is_row, is_column], -1), (0, spare))  # (N, H + W + spare)
    nothing = query.new_zeros(*query.shape[:3], spare)
    query = torch.cat([query * dim**-0.5, by_row, by_column, nothing], -1)
    key = torch.cat([key, marks.expand(*key.shape[:2], -1, -1)], -1)
    # The values are made as wide, for the fastest kernels want one width.
    value = F.pad(value, (0, height + width + spare))
    return attention(query, key, value, scale=1.0)[..., :dim]
