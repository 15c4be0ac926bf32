import pytest
import torch

from vitdet.layers.map_resampling import resample_map


@pytest.mark.parametrize("size", [(56, 84), (33, 131), (1, 1), (113, 15)])
@pytest.mark.parametrize(("stride", "out_stride"), [(7, 4), (14, 8), (14, 16), (14, 32), (14, 28)])
def test_cells_stay_where_they_are_in_the_image(
    size: tuple[int, int], stride: int, out_stride: int
) -> None:
    """A map of each cell's own row in the image is that of the result, but at its borders."""
    cells = [-(-side // 14) * 14 // stride for side in size]
    rows = ((torch.arange(cells[0]) + 0.5) * stride)[:, None].expand(*cells)
    out = resample_map(rows[None, None], stride, out_stride, size)[0, 0]
    assert out.shape == tuple(-(-side // out_stride) for side in size)
    expected = (torch.arange(out.shape[0]) + 0.5) * out_stride
    averaged = 28 if out_stride >= 28 else stride  # pixels per cell before the bilinear step
    last = cells[0] * stride // averaged * averaged - averaged / 2
    inner = (expected >= averaged / 2) & (expected <= last)
    torch.testing.assert_close(out[inner], expected[inner, None].expand_as(out[inner]))


def test_same_stride_crops() -> None:
    x = torch.randn(1, 2, 4, 6)
    assert torch.equal(resample_map(x, 7, 7, (20, 40)), x[:, :, :3])
