import pytest
import torch

from vitdet.layers import PatchEmbed


@pytest.mark.parametrize("size", [(8, 12), (9, 11), (1, 4)])
def test_tokens_are_projected_patches(size: tuple[int, int]) -> None:
    embed = PatchEmbed(4, 6)
    images = torch.randn(2, 3, *size)
    tokens = embed(images)
    rows, columns = (-(-side // 4) for side in size)
    assert tokens.shape == (2, rows, columns, 6)
    canvas = torch.zeros(2, 3, 4 * rows, 4 * columns)
    canvas[:, :, : size[0], : size[1]] = images
    for row in range(rows):
        for column in range(columns):
            patch = canvas[:, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4].flatten(1)
            token = patch @ embed.proj.weight.flatten(1).t() + embed.proj.bias
            torch.testing.assert_close(tokens[:, row, column], embed.norm(token))


@pytest.mark.parametrize(("size", "rows", "columns"), [((9, 11), 2, 2), ((1, 4), 1, 1)])
def test_remainders_can_be_dropped(size: tuple[int, int], rows: int, columns: int) -> None:
    embed = PatchEmbed(4, 6, drops_remainder=True)
    images = torch.randn(2, 3, *size)
    tokens = embed(images)
    assert tokens.shape == (2, rows, columns, 6)
    canvas = torch.zeros(2, 3, 4 * rows, 4 * columns)
    kept = images[..., : 4 * rows, : 4 * columns]
    canvas[:, :, : kept.shape[2], : kept.shape[3]] = kept
    torch.testing.assert_close(tokens, embed(canvas))


@pytest.mark.parametrize("size", [(9, 11), (1, 4), (8, 8)])
def test_overlapping_patches_give_as_many_tokens(size: tuple[int, int]) -> None:
    for patch_size, kernel_size, padding in ((4, 7, 2), (2, 3, 1)):
        embed = PatchEmbed(patch_size, 6, kernel_size=kernel_size, padding=padding)
        rows, columns = (-(-side // patch_size) for side in size)
        assert embed(torch.randn(2, 3, *size)).shape == (2, rows, columns, 6)
