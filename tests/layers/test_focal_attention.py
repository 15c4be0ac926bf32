"""Against focal attention written out key by key."""

import pytest
import torch
from torch import Tensor, nn

from vitdet.layers.focal_attention import FocalAttention
from vitdet.layers.focal_windows import FocalLevel, neighbours


def written_out(  # noqa: C901
    layer: FocalAttention, x: Tensor, pooled: list[Tensor], row: int, column: int
) -> Tensor:
    """The first head's sums for the first token of the window at (row, column), one key a step."""
    size, dim = layer.window_size, layer.qkv.in_features // layer.num_heads
    height, width = x.shape[1:3]

    def project(token: Tensor, part: int) -> Tensor:
        return layer.qkv(token).unflatten(-1, (3, -1))[part, :dim]

    query = project(x[0, row * size, column * size], 0) * layer.scale
    logits, values = [], []

    def see(token: Tensor, bias: Tensor) -> None:
        logits.append(query @ project(token, 1) + bias)
        values.append(project(token, 2))

    own = layer.relative_position_bias_table[:, 0].unflatten(0, (2 * size - 1, 2 * size - 1))
    for y in range(size):
        for z in range(size):
            see(x[0, row * size + y, column * size + z], own[size - 1 - y, size - 1 - z])
    expand, key = layer.expand_size, 0
    for down in (expand, -expand):
        for right in (expand, -expand):
            for y in range(down, down + size):
                for z in range(right, right + size):
                    if 0 <= y < size and 0 <= z < size:
                        continue
                    token = x[0, (row * size + y) % height, (column * size + z) % width]
                    see(token, layer.relative_position_bias_table_to_neighbors[0, 0, 0, key])
                    key += 1
    for index, level in enumerate(layer.levels):
        table = layer.relative_position_bias_table_to_windows[index][0]
        side, sides = size + level.num_seen - 1, pooled[index].shape[1:3]
        for y in range(level.num_seen):
            for z in range(level.num_seen):
                place = (row * level.per_window + y - level.reach,
                         column * level.per_window + z - level.reach)  # fmt: skip
                inside = all(0 <= p < n for p, n in zip(place, sides, strict=True))
                if inside:
                    offset = (level.num_seen - 1 - y) * side + level.num_seen - 1 - z
                    see(pooled[index][0][place], table[offset])
    return torch.stack(logits).softmax(0) @ torch.stack(values)


@pytest.mark.parametrize(("size", "expand"), [(4, 2), (5, 2), (4, 3), (3, 3)])
@torch.no_grad()
def test_every_key_counts_as_published(size: int, expand: int) -> None:
    torch.manual_seed(0)
    levels = (FocalLevel(1, size, 1), FocalLevel(2, size // 2, 2))
    layer = FocalAttention(8, 2, window_size=size, expand_size=expand, levels=levels)
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    layer.proj = nn.Identity()
    x = torch.randn(1, 2 * size, 3 * size, 8)
    pooled = [torch.randn(1, 2 * lv.per_window, 3 * lv.per_window, 8) for lv in levels]
    out = layer(x, pooled, layer.keys(2 * size, 3 * size))
    for row in range(2):
        for column in range(3):
            expected = written_out(layer, x, pooled, row, column)
            torch.testing.assert_close(out[0, row * size, column * size, :4], expected)


@pytest.mark.parametrize(
    ("size", "expand", "columns", "tokens"), [(7, 3, 132, 120), (4, 2, 48, 48)]
)
def test_tokens_shown_twice_are_one_key(size: int, expand: int, columns: int, tokens: int) -> None:
    around = neighbours(size, expand)
    assert len(around.single) + around.double.numel() == columns
    assert around.offsets.shape == (2, tokens)
    assert len(set(map(tuple, around.offsets.t().tolist()))) == tokens
