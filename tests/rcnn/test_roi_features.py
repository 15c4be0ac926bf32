"""Regions that come by level give the features of mmdet's extractor."""

import pytest
import torch
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from torch import Tensor

from vitdet.rcnn.roi_features import are_alike, is_known, levels_of, roi_features

STRIDES = [4, 8, 16]


def extractor(finest_scale: int = 56) -> SingleRoIExtractor:
    layer = dict(type="RoIAlign", output_size=3, sampling_ratio=0)
    return SingleRoIExtractor(layer, 8, STRIDES, finest_scale)


def problem() -> tuple[list[Tensor], Tensor]:
    generator = torch.Generator().manual_seed(0)
    maps = [torch.randn(2, 8, 512 // s, 512 // s, generator=generator) for s in STRIDES]
    corners = torch.rand(40, 2, generator=generator) * 400
    sides = torch.rand(40, 2, generator=generator) * 300 + 20
    images = torch.randint(2, (40, 1), generator=generator)
    return maps, torch.cat([images, corners, corners + sides], dim=1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_as_mmdet(dtype: torch.dtype) -> None:
    """Of maps in bfloat16 what mmdet reads with coordinates in full precision."""
    reader = extractor()
    assert is_known(reader)
    maps, rois = problem()
    maps = [level.to(dtype) for level in maps]
    levels = levels_of(reader, rois)
    rois = rois[levels.argsort(stable=True)]
    sizes = levels.bincount(minlength=len(STRIDES)).tolist()
    assert min(sizes) > 0
    expected = reader([level.float() for level in maps], rois)
    torch.testing.assert_close(roi_features(reader, maps, rois, sizes), expected)


def test_levels_without_regions_have_a_gradient() -> None:
    maps, rois = problem()
    maps = [level.requires_grad_() for level in maps]
    roi_features(extractor(), maps, rois, [0, len(rois), 0]).sum().backward()
    assert [bool(level.grad.any()) for level in maps] == [False, True, False]


def test_extractors_that_choose_other_levels() -> None:
    assert are_alike(extractor(), extractor())
    assert not are_alike(extractor(), extractor(28))
