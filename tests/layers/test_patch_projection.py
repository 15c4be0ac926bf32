import pytest
import torch
from torch import nn

from vitdet.layers.patch_projection import project_patches


@pytest.mark.parametrize("size", [(8, 12), (9, 14), (4, 4)])
def test_it_is_the_convolution(size: tuple[int, int]) -> None:
    conv = nn.Conv2d(3, 5, 4, stride=4)
    images = torch.randn(2, 3, *size)
    for x in (images, images.contiguous(memory_format=torch.channels_last)):
        projected = project_patches(x.permute(0, 2, 3, 1), conv).permute(0, 3, 1, 2)
        torch.testing.assert_close(projected, conv(images))


def test_gradients_reach_weights_and_input() -> None:
    conv = nn.Conv2d(3, 5, 2, stride=2)
    images = torch.randn(1, 3, 6, 4, requires_grad=True)
    expected = torch.autograd.grad(conv(images).sum(), [images, *conv.parameters()])
    ours = project_patches(images.permute(0, 2, 3, 1), conv).sum()
    for gradient, theirs in zip(
        torch.autograd.grad(ours, [images, *conv.parameters()]), expected, strict=True
    ):
        torch.testing.assert_close(gradient, theirs)
