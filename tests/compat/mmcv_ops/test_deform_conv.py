"""What the golden cases cannot show of the deformable convolutions."""

import pytest
import torch
from mmcv.ops import deform_conv2d, modulated_deform_conv2d
from torch import Tensor


@pytest.fixture
def operands() -> list[Tensor]:
    """Input, offset and weight; no sample near an integer, where the derivative jumps."""
    torch.manual_seed(0)
    shapes = [(2, 4, 4, 5), (2, 36, 4, 5), (4, 2, 3, 3)]
    x, offset, weight = (torch.rand(shape, dtype=torch.float64) for shape in shapes)
    offset = torch.randint(-2, 2, offset.shape) + 0.2 + 0.6 * offset
    return [x.requires_grad_(), offset.requires_grad_(), weight.requires_grad_()]


def plain(x: Tensor, offset: Tensor, weight: Tensor) -> Tensor:
    return deform_conv2d(x, offset, weight, 1, 1, 1, 2, 2)


def test_gradients_are_derivatives(operands: list[Tensor]) -> None:
    assert torch.autograd.gradcheck(plain, operands)
    mask = torch.rand(2, 18, 4, 5, dtype=torch.float64, requires_grad=True)
    bias = torch.rand(4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x, offset, weight, mask, bias: modulated_deform_conv2d(
            x, offset, mask, weight, bias, 1, 1, 1, 2, 2
        ),
        (*operands, mask, bias),
    )


def test_weight_gradient_belongs_to_its_own_backward(operands: list[Tensor]) -> None:
    # The gradients by input and by weight come from two calls that share a scratch tensor.
    x, _, weight = operands
    output = plain(*operands)
    first, second = torch.randn_like(output), torch.randn_like(output)
    (expected,) = torch.autograd.grad(plain(*operands), weight, second)

    torch.autograd.grad(output, x, first, retain_graph=True)
    (by_weight,) = torch.autograd.grad(output, weight, second, retain_graph=True)
    torch.testing.assert_close(by_weight, expected)
    torch.autograd.grad(output, weight, first, retain_graph=True)
    (by_weight,) = torch.autograd.grad(output, weight, second)
    torch.testing.assert_close(by_weight, expected)


def test_weight_gradient_alone(operands: list[Tensor]) -> None:
    x, offset, weight = operands
    upstream = torch.randn_like(plain(*operands))
    (expected,) = torch.autograd.grad(plain(*operands), weight, upstream)
    output = plain(x.detach(), offset.detach(), weight)
    torch.testing.assert_close(torch.autograd.grad(output, weight, upstream), (expected,))


def test_zero_offsets_are_an_ordinary_convolution(operands: list[Tensor]) -> None:
    x, offset, weight = operands
    output = plain(x, torch.zeros_like(offset), weight)
    torch.testing.assert_close(output, torch.nn.functional.conv2d(x, weight, padding=1, groups=2))


def test_nan_offsets_sample_nothing(operands: list[Tensor]) -> None:
    # torchvision's kernel alone ends the process here.
    x, offset, weight = operands
    is_first = torch.zeros_like(offset, dtype=torch.bool)
    is_first[0, :2] = True
    output = plain(x, offset.masked_fill(is_first, torch.nan), weight)
    expected = plain(x, offset.masked_fill(is_first, 1e4), weight)
    torch.testing.assert_close(output, expected)
    for each in (x, offset):
        gradients = [
            torch.autograd.grad(one.sum(), each, retain_graph=True)[0] for one in (output, expected)
        ]
        torch.testing.assert_close(*gradients)


def test_offsets_larger_than_the_output_are_read_in_rows_of_the_output() -> None:
    torch.manual_seed(0)
    x, weight, bias = torch.rand(2, 3, 4, 4), torch.rand(5, 3, 3, 3), torch.rand(5)
    offset, mask = torch.rand(2, 18, 8, 8, requires_grad=True), torch.rand(2, 9, 8, 8)
    output = modulated_deform_conv2d(x, offset, mask, weight, bias, 1, 1)
    rows = [
        each.detach().numpy().reshape(2, -1)[:, : each.shape[1] * 16] for each in (offset, mask)
    ]
    own_offset, own_mask = (
        torch.tensor(row.reshape(2, -1, 4, 4), requires_grad=True) for row in rows
    )
    expected = modulated_deform_conv2d(x, own_offset, own_mask, weight, bias, 1, 1)
    torch.testing.assert_close(output, expected)
    (gradient,) = torch.autograd.grad(output.square().sum(), offset)
    (own,) = torch.autograd.grad(expected.square().sum(), own_offset)
    torch.testing.assert_close(gradient.flatten(1)[:, : 18 * 16], own.flatten(1))
    assert not gradient.flatten(1)[:, 18 * 16 :].any()
