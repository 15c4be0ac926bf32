"""Focal loss (Lin et al. 2017, equation 5) over sigmoid and over softmax scores.

The sigmoid loss is exact for large logits; mmcv's CUDA kernel saturates where 1 - p underflows.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Fill `output` (N, K) with the loss of every class of every row.

    input: (N, K) logits
    target: (N,) class index; any value outside 0 to K - 1 makes all classes negative
    weight: (K,) factor on a row by its target, or empty
    """
    sign, factor = _signs_and_factors(input, target, weight, alpha)
    logit = input * sign
    output.copy_(-factor * torch.sigmoid(-logit) ** gamma * F.logsigmoid(logit))


def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Fill `grad_input` (N, K) with the derivative of each loss by its own logit."""
    sign, factor = _signs_and_factors(input, target, weight, alpha)
    logit = input * sign
    miss = torch.sigmoid(-logit)
    slope = gamma * (1 - miss) * F.logsigmoid(logit) - miss
    grad_input.copy_(sign * factor * miss**gamma * slope)


def softmax_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Fill `output` (N,) with the loss of every row; a negative target costs nothing.

    input: (N, K) probabilities (the caller has applied softmax)
    target: (N,) class index
    weight: (K,) factor on a row by its target, or empty
    """
    probability, factor = _target_probability(input, target, weight, alpha)
    output.copy_(-factor * (1 - probability) ** gamma * probability.log())


def softmax_focal_loss_backward(
    input: Tensor,
    target: Tensor,
    weight: Tensor,
    buff: Tensor,
    grad_input: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Fill `grad_input` (N, K) with the derivative of each row's loss by its logits."""
    probability, factor = _target_probability(input, target, weight, alpha)
    miss = 1 - probability
    decay = gamma * miss ** (gamma - 1) if gamma else torch.zeros_like(miss)
    slope = factor * (decay * probability * probability.log() - miss**gamma)
    is_target = _is_target(input, target)
    grad_input.copy_(slope[:, None] * (is_target.to(input.dtype) - input))


def _is_target(input: Tensor, target: Tensor) -> Tensor:
    return target[:, None] == torch.arange(input.size(1), device=input.device)


def _signs_and_factors(
    input: Tensor, target: Tensor, weight: Tensor, alpha: float
) -> tuple[Tensor, Tensor]:
    """1 or -1 for positive and negative entries, and what balances them, both (N, K)."""
    positive = _is_target(input, target)
    factor = torch.where(positive, alpha, 1 - alpha).to(input.dtype)
    if weight.numel() > 0:
        factor = factor * weight[target][:, None]
    return torch.where(positive, 1, -1).to(input.dtype), factor


def _target_probability(
    input: Tensor, target: Tensor, weight: Tensor, alpha: float
) -> tuple[Tensor, Tensor]:
    """Each row's probability of its target, and the factor of its loss, both (N,)."""
    index = target.clamp(min=0)
    factor = alpha * (target >= 0).to(input.dtype)
    if weight.numel() > 0:
        factor = factor * weight[index]
    return input.gather(1, index[:, None])[:, 0], factor
