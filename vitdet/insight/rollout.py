"""What a token has been made of, over all layers: attention rollout.

Abnar and Zuidema 2020, "Quantifying Attention Flow in Transformers" (arXiv:2005.00928), section 3.
The paper multiplies the matrices of all layers; here one token's shares are pulled back layer by
layer, so that nothing of N x N is multiplied, and windows stay windows. Between stages a token's
share goes to the tokens that it was merged from, in equal parts.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from vitdet.errors import UserError
from vitdet.insight.layer_attention import LayerAttention
from vitdet.insight.token_layout import Grid


def rollout(
    layers: Sequence[LayerAttention], token: int | None = None, *, image: int = 0
) -> Tensor:
    """Pull a token of the last layer back to the map before the first.

    Args:
        layers: of one backbone in running order, without TNT's inner ones.
        token: its number in the last layer; by default the first class token, or the mean of all
            where there is none.
        image: which of the batch.

    Returns:
        (H, W) shares of the first layer's map; they sum to 1 less what is padding or no place.
    """
    if not layers:
        raise UserError("rollout: the model has no attention layers to follow")
    last = layers[-1]
    shares = torch.zeros(last.layout.num_tokens)
    if token is not None:
        shares[token] = 1
    elif last.grid.first:
        shares[0] = 1
    else:
        shares[:] = 1 / len(shares)
    for layer, before in zip(reversed(layers), [*reversed(layers[:-1]), None], strict=True):
        shares = layer.pull_back(shares, image=image)
        if before is not None and before.grid != layer.grid:
            shares = _spread_over_merged(shares, layer.grid, before)
    grid = layers[0].grid
    own = shares[grid.first : grid.first + grid.num_places]
    return own.unflatten(0, (grid.height, grid.width))


def _spread_over_merged(shares: Tensor, grid: Grid, before: LayerAttention) -> Tensor:
    """Give the shares of a map's tokens to those of the finer map that they were merged from."""
    own = shares[grid.first : grid.first + grid.num_places].unflatten(0, (grid.height, grid.width))
    finer, factor = before.grid, grid.stride // before.grid.stride
    rows, columns = (
        torch.arange(side).div(factor, rounding_mode="floor")
        for side in (finer.height, finer.width)
    )
    is_inside = (rows < grid.height)[:, None] & (columns < grid.width)
    large = own[rows.clamp(max=grid.height - 1)][:, columns.clamp(max=grid.width - 1)] * is_inside
    counts_down, counts_right = (
        torch.bincount(one, minlength=length).clamp(min=1)[one]
        for one, length in ((rows, grid.height), (columns, grid.width))
    )
    result = torch.zeros(before.layout.num_tokens)
    first = finer.first
    result[first : first + finer.num_places] = (
        large / (counts_down[:, None] * counts_right)
    ).flatten()
    return result
