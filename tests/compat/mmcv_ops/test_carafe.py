"""The naive form of CARAFE, whose backward mmcv refuses to call on a CPU."""

import torch
from mmcv import _ext
from mmcv.ops import carafe, carafe_naive


def test_naive_form_is_the_same_operator() -> None:
    torch.manual_seed(0)
    features = torch.randn(2, 4, 3, 5, requires_grad=True)
    masks = torch.rand(2, 18, 6, 10, requires_grad=True)
    output = carafe(features, masks, 3, 2, 2)
    torch.testing.assert_close(carafe_naive(features, masks, 3, 2, 2), output, rtol=0, atol=0)

    upstream = torch.randn_like(output)
    expected = torch.autograd.grad(output, (features, masks), upstream)
    gradients = (torch.zeros_like(features), torch.zeros_like(masks))
    _ext.carafe_naive_backward(
        upstream, features, masks, *gradients, kernel_size=3, group_size=2, scale_factor=2
    )
    torch.testing.assert_close(gradients, expected, rtol=0, atol=0)
