"""Scaled dot-product attention: the one entry for the whole project."""

import torch
import torch.nn.functional as F
from torch import Tensor

LONG_SEQUENCE = 1024  # tokens


def attention(query: Tensor, key: Tensor, value: Tensor, *, bias: Tensor | None = None) -> Tensor:
    """Softmax(query key^T / sqrt(D) + bias) value, in the faster of two forms.

    Args:
        query: (B, num_heads, N, D).
        key: (B, num_heads, M, D).
        value: (B, num_heads, M, D).
        bias: added to the logits, of their dtype, broadcastable to (B, num_heads, N, M). For the
            fused GPU kernels each row should start at a multiple of 8 elements, or they pad a copy.

    Returns:
        (B, num_heads, N, D).
    """
    if _prefers_explicit(query, key, value, bias):
        return explicit_attention(query, key, value, bias=bias)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)


def explicit_attention(
    query: Tensor, key: Tensor, value: Tensor, *, bias: Tensor | None = None
) -> Tensor:
    """The same as products and a softmax; shapes as in `attention`."""
    return attention_weights(query, key, bias=bias) @ value


def attention_weights(query: Tensor, key: Tensor, *, bias: Tensor | None = None) -> Tensor:
    """Softmax(query key^T / sqrt(D) + bias), (B, num_heads, N, M); shapes as in `attention`."""
    scale = query.shape[-1] ** -0.5
    if bias is None:
        logits = (query * scale) @ key.transpose(-2, -1)
    else:
        # Scaling within the addition saves a pass over the queries, forward and backward.
        logits = torch.add(bias, query @ key.transpose(-2, -1), alpha=scale)
    return logits.softmax(dim=-1)


def _prefers_explicit(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> bool:
    """Whether the fused form is the slower one: on a CPU in two cases, both with gradients.

    To a bias no fused kernel there gives gradients, and what replaces it takes 1.1 to 3 times as
    long as the explicit form. And the kernels' own backward pass is slow in bfloat16, by 1.1 to 5
    times, the most for short sequences; for long ones the logits are not worth their memory.
    """
    if query.device.type != "cpu" or not torch.is_grad_enabled():
        return False
    if bias is not None and bias.requires_grad:
        return True
    is_trained = query.requires_grad or key.requires_grad or value.requires_grad
    return is_trained and query.dtype != torch.float32 and key.shape[-2] <= LONG_SEQUENCE
