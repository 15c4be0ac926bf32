"""Focal losses against torchvision and against their derivatives."""

import pytest
import torch
import torch.nn.functional as F
from mmcv.ops import sigmoid_focal_loss, softmax_focal_loss
from torchvision.ops import sigmoid_focal_loss as torchvision_loss

TARGET = torch.tensor([0, 3, 4, 2, -1, 1])  # 4 is the background, -1 no class at all


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_sigmoid_matches_torchvision(gamma: float) -> None:
    torch.manual_seed(0)
    logits = (4 * torch.randn(6, 4, dtype=torch.float64)).requires_grad_()
    one_hot = F.one_hot(TARGET.remainder(5), 5)[:, :4].to(logits.dtype)

    loss = sigmoid_focal_loss(logits, TARGET, gamma, 0.25, None, "none")
    expected = torchvision_loss(logits, one_hot, 0.25, gamma)

    torch.testing.assert_close(loss, expected)
    upstream = torch.randn_like(loss)
    torch.testing.assert_close(
        torch.autograd.grad(loss, logits, upstream), torch.autograd.grad(expected, logits, upstream)
    )


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.5])
def test_softmax_gradient_is_the_derivative(gamma: float) -> None:
    torch.manual_seed(0)
    logits = torch.randn(6, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(5, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda x: softmax_focal_loss(x, TARGET, gamma, 0.25, weight, "sum"), logits
    )


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_softmax_stays_finite_where_probabilities_are_0_and_1(gamma: float) -> None:
    logits = torch.tensor([[-200.0, 0.0], [-200.0, 0.0], [-200.0, 0.0]], requires_grad=True)
    loss = softmax_focal_loss(logits, torch.tensor([-1, 0, 1]), gamma, 0.5, None, "sum")
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()
    assert not logits.grad[0].any()  # the row without a target


def test_no_rows() -> None:
    logits = torch.randn(0, 4, requires_grad=True)
    loss = sigmoid_focal_loss(logits, torch.empty(0, dtype=torch.long), 2.0, 0.25, None, "sum")
    loss.backward()
    assert loss == 0
    assert logits.grad.shape == (0, 4)
