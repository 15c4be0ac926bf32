"""Relative positions by axis: the equation, its two forms, and tables of another length."""

import pytest
import torch
from torch import Tensor

from vitdet.layers.decomposed_position import (
    attention_with_channels,
    axis_table,
    decomposed_attention,
)


def inputs(height: int, width: int) -> list[Tensor]:
    """Query, key, value (2, 3, N, 8) and tables for sides of 4 and 5."""
    torch.manual_seed(0)
    tokens = [torch.randn(2, 3, height * width, 8).requires_grad_() for _ in range(3)]
    return [*tokens, torch.randn(7, 8).requires_grad_(), torch.randn(9, 8).requires_grad_()]


def defined(query: Tensor, key: Tensor, value: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The equation, pair by pair."""
    height, width = rows.shape[0], columns.shape[0]
    logits = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
    bias = torch.zeros_like(logits)
    for n in range(height * width):
        for m in range(height * width):
            (y, x), (y2, x2) = divmod(n, width), divmod(m, width)
            bias[:, :, n, m] = query[:, :, n] @ rows[y, y2] + query[:, :, n] @ columns[x, x2]
    return (logits + bias).softmax(-1) @ value


@pytest.mark.parametrize("has_channels", [False, True])
@pytest.mark.parametrize("size", [(4, 5), (3, 2), (1, 1)])
def test_both_forms_agree_with_the_equation(size: tuple[int, int], has_channels: bool) -> None:
    results = []
    for form in (defined, decomposed_attention):
        query, key, value, table_h, table_w = leaves = inputs(*size)
        rows, columns = axis_table(table_h, size[0]), axis_table(table_w, size[1])
        if form is not defined and has_channels:
            grid = query.unflatten(2, size)
            by_row = torch.einsum("bhyxd,ykd->bhyxk", grid, rows).flatten(2, 3)
            by_column = torch.einsum("bhyxd,xkd->bhyxk", grid, columns).flatten(2, 3)
            output = attention_with_channels(query, key, value, by_row, by_column)
        else:
            output = form(query, key, value, rows, columns)
        output.square().sum().backward()
        results.append([output, *(leaf.grad for leaf in leaves)])
    for expected, actual in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


def test_rows_are_offsets_from_key_to_query() -> None:
    table = torch.arange(7.0)[:, None]  # of offsets -3 to 3
    laid_out = axis_table(table, 4)[..., 0]
    assert laid_out[0].tolist() == [3, 2, 1, 0]
    assert laid_out[3].tolist() == [6, 5, 4, 3]


def test_another_length_interpolates() -> None:
    laid_out = axis_table(torch.full((7, 2), 1.5), 6)
    torch.testing.assert_close(laid_out, torch.full((6, 6, 2), 1.5))
