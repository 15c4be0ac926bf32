import pytest
import torch
import torch.nn.functional as F

from vitdet.layers import PatchMerging


@pytest.mark.parametrize("size", [(4, 6), (5, 3), (1, 1)])
def test_neighbours_are_joined_column_by_column(size: tuple[int, int]) -> None:
    merging = PatchMerging(3)
    x = torch.randn(2, *size, 3)
    padded = F.pad(x, (0, 0, 0, size[1] % 2, 0, size[0] % 2))
    quarters = [padded[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
    expected = merging.reduction(merging.norm(torch.cat(quarters, -1)))
    assert torch.equal(merging(x), expected)


def test_norm_may_follow_the_reduction() -> None:
    merging, first = PatchMerging(3, norm_last=True), PatchMerging(3)
    first.norm, first.reduction = torch.nn.Identity(), merging.reduction
    x = torch.randn(2, 5, 3, 3)
    assert torch.equal(merging(x), merging.norm(first(x)))
