"""Kernels of other patches."""

import torch
import torch.nn.functional as F

from vitdet.layers.patch_kernel import resize_patch_kernel


def test_larger_kernels_answer_to_enlarged_patches_as_before() -> None:
    weight, patch = torch.randn(5, 3, 4, 4), torch.randn(1, 3, 4, 4)
    enlarged = F.interpolate(patch, size=(7, 7), mode="bicubic", antialias=True)
    actual = F.conv2d(enlarged, resize_patch_kernel(weight, 7))
    torch.testing.assert_close(actual, F.conv2d(patch, weight), rtol=1e-3, atol=1e-3)


def test_smaller_kernels_have_the_shape_asked_for() -> None:
    assert resize_patch_kernel(torch.randn(5, 3, 8, 8), 4).shape == (5, 3, 4, 4)
