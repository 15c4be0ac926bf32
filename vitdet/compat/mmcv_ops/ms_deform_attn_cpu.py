"""Multi-scale deformable attention on a CPU: weighted sums of rows.

`grid_sample` reads every channel of a pixel from another place of memory. Here a pixel of a head is
one row of the values as they lie, and an attended value one sum of `4 * L * P` rows, each weighted
by its share in a bilinear sample and by the sample's attention: `embedding_bag`. The gradient by
the rows is a product with the transposed sparse matrix of those weights.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from scipy.sparse import csc_matrix
from torch import Tensor

_BAGS_AT_ONCE = 256  # whose rows, of 64 x 32 floats each, stay in the cache between two steps


class Corners(NamedTuple):
    """The four pixels around each sample, and their shares in it.

    Attributes:
        rows: (B, Q, num_heads, L, P, 4) int32, places among the (B * N * num_heads) rows of values:
            above left, above right, below left, below right.
        above: (B, Q, num_heads, L, P) share of the pixels above, 0 where these are outside; so
            `below`, `left` and `right`.
        has_above: whether the pixels above are inside; so `has_below`, `has_left`, `has_right`.
    """

    rows: Tensor
    above: Tensor
    below: Tensor
    left: Tensor
    right: Tensor
    has_above: Tensor
    has_below: Tensor
    has_left: Tensor
    has_right: Tensor

    def shares(self) -> Tensor:
        """(B, Q, num_heads, L, P, 4) share of each pixel in its sample."""
        shares = self.above.new_empty(self.rows.shape)
        pairs = [(y, x) for y in (self.above, self.below) for x in (self.left, self.right)]
        for corner, (vertical, horizontal) in enumerate(pairs):
            torch.mul(vertical, horizontal, out=shares[..., corner])
        return shares


def attend(
    value: Tensor, shapes: Tensor, starts: Tensor, locations: Tensor, attention: Tensor
) -> Tensor:
    """The attended values (B, Q, num_heads * D). Arguments as of `ms_deform_attn_forward`."""
    corners = _corners(shapes, starts, locations, num_tokens=value.shape[1])
    weights = corners.shares().mul_(attention[..., None])
    num_rows = weights.shape[3:].numel()  # of each sum
    attended = F.embedding_bag(
        corners.rows.view(-1, num_rows),
        value.reshape(-1, value.shape[-1]),
        mode="sum",
        per_sample_weights=weights.view(-1, num_rows),
    )
    return attended.view(*locations.shape[:2], value.shape[2:].numel())


def gradients(
    value: Tensor,
    shapes: Tensor,
    starts: Tensor,
    locations: Tensor,
    attention: Tensor,
    gradient: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients by value, locations and attention, given that by the attended values.

    gradient: (B, Q, num_heads * D)
    """
    corners = _corners(shapes, starts, locations, num_tokens=value.shape[1])
    shares = corners.shares()
    table, by_output = value.reshape(-1, value.shape[-1]), gradient.reshape(-1, value.shape[-1])
    by_value = _rows_gradient(corners.rows, shares * attention[..., None], by_output, len(table))
    by_weight = _weights_gradient(corners.rows, table, by_output)
    by_attention = (shares * by_weight).sum(dim=-1)
    above_left, above_right, below_left, below_right = by_weight.unbind(dim=-1)
    by_x = corners.above * (above_right * corners.has_right - above_left * corners.has_left)
    by_x += corners.below * (below_right * corners.has_right - below_left * corners.has_left)
    by_y = corners.left * (below_left * corners.has_below - above_left * corners.has_above)
    by_y += corners.right * (below_right * corners.has_below - above_right * corners.has_above)
    by_position = torch.stack((by_x, by_y), dim=-1) * attention[..., None]
    by_location = by_position * shapes.flip(1).to(value.dtype)[:, None]
    return by_value.view_as(value), by_location, by_attention


def _corners(shapes: Tensor, starts: Tensor, locations: Tensor, *, num_tokens: int) -> Corners:
    batch_size, _, num_heads = locations.shape[:3]
    heights, widths = (side[:, None] for side in shapes.to(locations.dtype).unbind(1))  # (L, 1)
    x, y = locations[..., 0] * widths - 0.5, locations[..., 1] * heights - 0.5
    left, above = x.floor(), y.floor()
    right_share, below_share = x - left, y - above
    has_left, has_above = (left >= 0) & (left < widths), (above >= 0) & (above < heights)
    # Exactly one pixel outside, a sample gets nothing, and mmcv gives it no gradient.
    has_right = (x > -1) & (left < widths - 1)
    has_below = (y > -1) & (above < heights - 1)
    columns = [_into_map(left + i, widths) for i in (0, 1)]
    lines = [_into_map(above + i, heights).mul_(widths) for i in (0, 1)]
    rows = left.new_empty(*left.shape, 4, dtype=torch.int32)
    for corner, (line, column) in enumerate((i, j) for i in lines for j in columns):
        rows[..., corner] = line.add(column)
    firsts = starts.to(torch.int32)[:, None, None]  # (L, 1, 1)
    images = _count(batch_size).view(-1, 1, 1, 1, 1, 1) * num_tokens
    heads = _count(num_heads).view(-1, 1, 1, 1)
    rows.add_(firsts).add_(images).mul_(num_heads).add_(heads)
    return Corners(
        rows,
        above=(1 - below_share) * has_above,
        below=below_share * has_below,
        left=(1 - right_share) * has_left,
        right=right_share * has_right,
        has_above=has_above,
        has_below=has_below,
        has_left=has_left,
        has_right=has_right,
    )


def _into_map(places: Tensor, sizes: Tensor) -> Tensor:
    """The nearest place inside; of a diverged model's NaN the first, as its share is NaN."""
    return torch.minimum(places.nan_to_num_().clamp_(min=0), sizes - 1)


def _rows_gradient(rows: Tensor, weights: Tensor, by_output: Tensor, num_rows: int) -> Tensor:
    """Gradient (num_rows, D) by the table of rows."""
    bounds = _count(len(by_output) + 1) * rows.shape[3:].numel()
    matrix = csc_matrix(
        (weights.view(-1).numpy(), rows.view(-1).numpy(), bounds.numpy()),
        shape=(num_rows, len(by_output)),
    )
    return torch.from_numpy(matrix @ by_output.numpy())


def _weights_gradient(rows: Tensor, table: Tensor, by_output: Tensor) -> Tensor:
    """Products (*rows.shape) of each row with its bag's gradient."""
    bags = rows.view(len(by_output), rows.shape[3:].numel())
    products = table.new_empty(bags.shape)
    for first in range(0, len(bags), _BAGS_AT_ONCE):
        part = slice(first, first + _BAGS_AT_ONCE)
        picked = table.index_select(0, bags[part].flatten()).view(*bags[part].shape, -1)
        torch.sum(picked.mul_(by_output[part, None]), dim=-1, out=products[part])
    return products.view(rows.shape)


def _count(end: int) -> Tensor:
    return torch.arange(end, dtype=torch.int32, device="cpu")
