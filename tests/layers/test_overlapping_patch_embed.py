import pytest
import torch

from vitdet.layers import OverlappingPatchEmbed


@pytest.mark.parametrize("size", [(8, 12), (9, 11), (1, 1)])
@pytest.mark.parametrize(("patch_size", "stride"), [(7, 4), (3, 2)])
def test_sides_are_rounded_up(size: tuple[int, int], patch_size: int, stride: int) -> None:
    embed = OverlappingPatchEmbed(patch_size, 6, stride=stride)
    tokens = embed(torch.randn(2, 3, *size))
    assert tokens.shape == (2, *(-(-side // stride) for side in size), 6)
    torch.testing.assert_close(tokens.mean(-1), torch.zeros(tokens.shape[:-1]), atol=1e-5, rtol=0)


def test_neighbouring_tokens_share_pixels() -> None:
    embed = OverlappingPatchEmbed(7, 6, stride=4)
    images = torch.randn(1, 3, 16, 16)
    changed = images.clone()
    changed[..., 6, 6] += 1  # of the patches around (4, 4), (4, 8), (8, 4) and (8, 8)
    is_changed = (embed(images) - embed(changed)).abs().amax(-1)[0] > 1e-6
    assert is_changed.nonzero().tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]
