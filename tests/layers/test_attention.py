"""The fused and the explicit form are one function."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vitdet.layers.attention import attention, explicit_attention, prefers_tokens_last


def inputs(dtype: torch.dtype, bias_shape: tuple[int, ...] | None) -> list[Tensor | None]:
    """Query (2, 3, 5, 16), key and value (2, 3, 7, 16), bias."""
    torch.manual_seed(0)
    shapes = [(2, 3, 5, 16), (2, 3, 7, 16), (2, 3, 7, 16), bias_shape]
    return [None if s is None else torch.randn(s).to(dtype).requires_grad_() for s in shapes]


def defined(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
    """The equation, token by token, in float64."""
    query, key, value = query.double(), key.double(), value.double()
    bias = torch.zeros(1, 1, 1, 1) if bias is None else bias.double()
    bias = bias.expand(*query.shape[:3], key.shape[2])
    output = torch.zeros_like(query)
    for b in range(query.shape[0]):
        for head in range(query.shape[1]):
            for n in range(query.shape[2]):
                dots = key[b, head] @ query[b, head, n] / query.shape[3] ** 0.5
                output[b, head, n] = (dots + bias[b, head, n]).softmax(0) @ value[b, head]
    return output


@pytest.mark.parametrize("bias_shape", [None, (3, 5, 7), (1, 3, 5, 7), (2, 3, 5, 7)])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 4e-2)], ids=["fp32", "bf16"]
)
def test_both_forms_agree_with_the_equation(
    bias_shape: tuple[int, ...] | None, dtype: torch.dtype, tolerance: float
) -> None:
    exact = inputs(dtype, bias_shape)
    expected = defined(*exact)
    expected.square().sum().backward()

    def fused(query: Tensor, key: Tensor, value: Tensor, *, bias: Tensor | None) -> Tensor:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)

    for form in (fused, explicit_attention, attention):
        query, key, value, bias = leaves = inputs(dtype, bias_shape)
        output = form(query, key, value, bias=bias)
        assert output.dtype == dtype
        torch.testing.assert_close(output.double(), expected, rtol=tolerance, atol=tolerance)
        output.square().sum().backward()
        for leaf, reference in zip(leaves, exact, strict=True):
            if leaf is not None:
                scale = float(reference.grad.abs().max())
                difference = (leaf.grad.double() - reference.grad.double()).abs().max()
                assert difference <= 2 * tolerance * scale


@pytest.mark.parametrize(
    ("dtype", "bias_shape", "is_trained", "is_explicit"),
    [
        (torch.float32, None, True, False),
        (torch.float32, (3, 5, 7), True, True),
        (torch.float32, (3, 5, 7), False, False),
        (torch.bfloat16, None, True, True),
        (torch.bfloat16, (3, 5, 7), False, False),
    ],
)
def test_form_follows_dtype_and_need_of_gradient(
    dtype: torch.dtype,
    bias_shape: tuple[int, ...] | None,
    is_trained: bool,
    is_explicit: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called = []

    def spy(*args: Tensor, **options: Tensor) -> Tensor:
        called.append(True)
        return explicit_attention(*args, **options)

    monkeypatch.setitem(attention.__globals__, "explicit_attention", spy)
    query, key, value, bias = inputs(dtype, bias_shape)
    with torch.set_grad_enabled(is_trained):
        attention(query, key, value, bias=bias)
    assert bool(called) == is_explicit


@pytest.mark.parametrize("grad", [False, True])
def test_small_sequences_of_few_channels(grad: bool) -> None:
    """The form for them, in any memory layout, is the same function with the same gradients."""
    torch.manual_seed(0)
    parts = [torch.randn(5, 2, 6, 16).transpose(-2, -1).requires_grad_(grad) for _ in range(3)]
    assert prefers_tokens_last(parts[0])
    ours = attention(*parts)
    theirs = F.scaled_dot_product_attention(*parts)
    torch.testing.assert_close(ours, theirs)
    if grad:
        weights = torch.randn_like(ours)
        for a, b in zip(
            torch.autograd.grad(ours, parts, weights),
            torch.autograd.grad(theirs, parts, weights),
            strict=True,
        ):
            torch.testing.assert_close(a, b)
