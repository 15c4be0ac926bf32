"""What the golden cases cannot show of RoIAlign and deformable RoI pooling."""

import pytest
import torch
from mmcv.ops import deform_roi_pool, roi_align

ROIS = torch.tensor(
    [[1, 1.3, 2.1, 9.7, 12.9], [0, -4.0, 3.0, 5.0, 30.0], [1, 2.0, 2.0, 3.0, 3.0]],
    dtype=torch.float64,
)


@pytest.mark.parametrize("sampling_ratio", [0, 2])
@pytest.mark.parametrize("aligned", [True, False])
def test_maximum_gradients_are_derivatives(sampling_ratio: int, aligned: bool) -> None:
    torch.manual_seed(0)
    x = torch.rand(2, 2, 7, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x: roi_align(x, ROIS, (2, 3), 0.5, sampling_ratio, "max", aligned), x
    )


def test_maximum_and_mean_agree_on_one_sample_per_bin() -> None:
    x = torch.rand(2, 2, 7, 6, dtype=torch.float64)
    mean, maximum = (roi_align(x, ROIS, 3, 0.5, 1, mode, True) for mode in ("avg", "max"))
    torch.testing.assert_close(maximum, mean)


@pytest.mark.parametrize("mode", ["avg", "max"])
def test_no_images(mode: str) -> None:
    x = torch.rand(0, 2, 7, 6, requires_grad=True)
    output = roi_align(x, torch.rand(0, 5), (2, 3), 0.5, 0, mode, True)
    assert output.shape == (0, 2, 2, 3)
    output.sum().backward()
    assert x.grad.shape == x.shape


@pytest.mark.parametrize("sampling_ratio", [0, 2])
def test_deformed_gradients_are_derivatives(sampling_ratio: int) -> None:
    torch.manual_seed(0)
    x = torch.rand(2, 2, 7, 6, dtype=torch.float64, requires_grad=True)
    offset = torch.rand(3, 2, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x, offset: deform_roi_pool(x, ROIS, offset, (2, 3), 0.5, sampling_ratio, 0.1),
        (x, offset),
    )
