import torch

from vitdet.layers.position_embedding import resize_position_embedding, tokens_to_grid


def test_same_size_is_not_touched() -> None:
    embedding = torch.randn(1, 3, 4, 5)
    assert resize_position_embedding(embedding, (4, 5)) is embedding


def test_resizing_a_constant() -> None:
    resized = resize_position_embedding(torch.full((1, 2, 4, 4), 3.0), torch.Size((7, 2)))
    torch.testing.assert_close(resized, torch.full((1, 2, 7, 2), 3.0))


def test_tokens_are_laid_out_row_by_row() -> None:
    grid = torch.randn(1, 5, 3, 3)
    assert torch.equal(tokens_to_grid(grid.flatten(2).transpose(1, 2)), grid)
