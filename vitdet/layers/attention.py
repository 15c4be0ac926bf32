"""Scaled dot-product attention: the one entry for the whole project."""

import torch
import torch.nn.functional as F
from torch import Tensor

LONG_SEQUENCE = 1024  # tokens
SHORT_SEQUENCE = 64  # tokens
SMALL_HEAD = 16  # channels
MAX_FUSED_BATCH = 65535  # what the fused GPU kernels' grids hold


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    bias: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """Softmax(scale query key^T + bias) value, in the faster of two forms.

    Args:
        query: (B, num_heads, N, D).
        key: (B, num_heads, M, D).
        value: (B, num_heads, M, D).
        bias: added to the logits, of their dtype, broadcastable to (B, num_heads, N, M). For the
            fused GPU kernels each row should start at a multiple of 8 elements, or they pad a copy.
        scale: 1 / sqrt(D) where it is None.

    Returns:
        (B, num_heads, N, D).
    """
    if _prefers_explicit(query, key, value, bias):
        return explicit_attention(query, key, value, bias=bias, scale=scale)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=scale)


def explicit_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    bias: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """The same as products and a softmax; arguments as in `attention`."""
    weights = attention_weights(query, key, bias=bias, scale=scale)
    if prefers_tokens_last(query):
        return (value.transpose(-2, -1) @ weights.transpose(-2, -1)).transpose(-2, -1)
    return weights @ value


def attention_weights(
    query: Tensor, key: Tensor, *, bias: Tensor | None = None, scale: float | None = None
) -> Tensor:
    """What each query takes of each value, (B, num_heads, N, M); arguments as in `attention`."""
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    if bias is None:
        logits = (query * scale) @ key.transpose(-2, -1)
    elif bias.shape[:-2] == query.shape[:-2]:
        # The product is added where the bias is copied to: one pass less, forward and backward.
        transposed = key.flatten(0, 1).transpose(-2, -1)
        logits = torch.baddbmm(bias.flatten(0, 1), query.flatten(0, 1), transposed, alpha=scale)
        logits = logits.unflatten(0, bias.shape[:2])
    else:
        # Scaling within the addition saves a pass over the queries, forward and backward.
        logits = torch.add(bias, query @ key.transpose(-2, -1), alpha=scale)
    return logits.softmax(dim=-1)


def prefers_tokens_last(query: Tensor) -> bool:
    """Whether query: (B, num_heads, N, D), keys and values should lie in memory as (..., D, N).

    On a CPU the products of many short sequences of few channels are bound by how much of a vector
    register a row fills. So let the tokens be the columns: 16 fill two, 6 channels not even one.
    """
    is_small = query.shape[-1] < SMALL_HEAD and query.shape[-2] <= SHORT_SEQUENCE
    return is_small and query.device.type == "cpu"


def _prefers_explicit(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> bool:
    """Whether the fused form is the slower one: on a CPU in three cases; or fails, on a GPU in one.

    On a CPU it is slow for small sequences (`prefers_tokens_last`), and in two cases with
    gradients. To a bias no fused kernel there gives gradients, and what replaces it takes 1.1 to 3
    times as long as the explicit form. And the kernels' own backward pass is slow in bfloat16, by
    1.1 to 5 times, the most for short sequences; for long ones the logits are not worth their
    memory. And in exported programs, whose other runtimes have kernels of their own: the fused
    form's result lies otherwise in memory than that of the operations it is taken apart into.
    """
    if torch.compiler.is_exporting():
        return True
    if query.device.type == "cuda" and query.shape[0] > MAX_FUSED_BATCH:
        return True
    if bias is None and prefers_tokens_last(query):
        return True
    if query.device.type != "cpu" or not torch.is_grad_enabled():
        return False
    if bias is not None and bias.requires_grad:
        return True
    is_trained = query.requires_grad or key.requires_grad or value.requires_grad
    return is_trained and query.dtype != torch.float32 and key.shape[-2] <= LONG_SEQUENCE
