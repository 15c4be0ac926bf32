import pytest
import torch

from vitdet.errors import UserError
from vitdet.layers import MapRescaling


@pytest.mark.parametrize("size", [(64, 96), (33, 131), (1, 17)])
@pytest.mark.parametrize("out_stride", [4, 8, 16, 32, 64])
def test_maps_have_the_size_their_stride_says(size: tuple[int, int], out_stride: int) -> None:
    x = torch.randn(2, 3, -(-size[0] // 16), -(-size[1] // 16))
    rescaled = MapRescaling(3, 16, out_stride)(x, *size)
    assert rescaled.shape == (2, 3, -(-size[0] // out_stride), -(-size[1] // out_stride))


def test_same_stride_changes_nothing() -> None:
    x = torch.randn(1, 3, 4, 5)
    assert torch.equal(MapRescaling(3, 16, 16)(x, 64, 80), x)


def test_shrinking_takes_the_maximum() -> None:
    x = torch.arange(12.0).view(1, 1, 3, 4)
    expected = torch.tensor([[5.0, 7.0], [9.0, 11.0]])
    assert torch.equal(MapRescaling(1, 16, 32)(x, 48, 64)[0, 0], expected)


@pytest.mark.parametrize("strides", [(16, 24), (14, 4)])
def test_other_ratios_are_refused(strides: tuple[int, int]) -> None:
    with pytest.raises(UserError, match="power of two"):
        MapRescaling(3, *strides)
