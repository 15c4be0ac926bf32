"""Sums of rows are torchvision's RoIAlign."""

import pytest
import torch
from torch import Tensor
from torchvision.ops import roi_align

from vitdet.compat.mmcv_ops.roi_align_cpu import Geometry, align, gradient

SHAPE = (2, 9, 13, 17)


def regions(scale: float) -> Tensor:
    """Also outside of the map, across its border, large, tiny, and without or of negative area."""
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(40, 2, generator=generator) * 30 - 8
    boxes = torch.cat([corners, corners + torch.rand(40, 2, generator=generator) * 20], dim=1)
    boxes[:4] = torch.tensor([[0, 0, 17, 13], [-40, -40, 60, 60], [20, 20, 30, 30], [3, 3, 3, 3]])
    boxes[4, 2] = boxes[4, 0] - 2
    images = torch.arange(40)[:, None] % 2
    return torch.cat([images, boxes / scale], dim=1)


@pytest.mark.parametrize("ratio", [0, 1, 2])
@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("size", [(7, 7), (2, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_as_torchvision(
    ratio: int, aligned: bool, size: tuple[int, int], dtype: torch.dtype
) -> None:
    generator = torch.Generator().manual_seed(1)
    maps = torch.randn(SHAPE, generator=generator).to(dtype).requires_grad_()
    rois = regions(0.25).to(dtype)
    expected = roi_align(maps, rois, size, 0.25, ratio, aligned)
    by_output = torch.randn(expected.shape, generator=generator).to(dtype)
    (by_map,) = torch.autograd.grad(expected, maps, by_output)
    geometry = Geometry(size, 0.25, ratio, aligned)
    found = align(maps.detach(), rois, geometry)
    assert found.std() > 0.1
    torch.testing.assert_close(found, expected.detach())
    found = gradient(by_output, rois, maps.shape, geometry)
    torch.testing.assert_close(
        found, by_map, atol=1e-5 if dtype == torch.float32 else 1e-12, rtol=1e-5
    )


def test_a_map_of_one_pixel_and_no_regions() -> None:
    geometry = Geometry((2, 2), 1.0, 0, True)
    pixel = torch.arange(9.0).view(1, 9, 1, 1)
    rois = torch.tensor([[0.0, 0, 0, 1, 1]])
    assert torch.equal(align(pixel, rois, geometry), pixel.expand(1, 9, 2, 2))
    assert torch.equal(
        gradient(torch.ones(1, 9, 2, 2), rois, pixel.shape, geometry), torch.full_like(pixel, 4.0)
    )
    assert align(pixel, rois[:0], geometry).shape == (0, 9, 2, 2)
    assert not gradient(torch.ones(0, 9, 2, 2), rois[:0], pixel.shape, geometry).any()


def test_a_diverged_model_gets_zeros() -> None:
    rois = torch.tensor([[0.0, float("nan"), 0, 5, 5]])
    assert not align(torch.ones(1, 9, 4, 4), rois, Geometry((2, 2), 1.0, 0, True)).any()
