"""Focal loss (Lin et al. 2017, equation 5) over sigmoid and over softmax scores.

The sigmoid loss is exact for large logits; mmcv's CUDA kernel saturates where 1 - p underflows.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from vitdet.compat.mmcv_ops.precision import kernel_dtype


def sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Fill `output` (N, K) with the loss of every class of every row.

    input: (N, K) logits
    target: (N,) class index; any value outside 0 to K - 1 makes all classes negative
    weight: (K,) factor on a row by its target, or empty
    """
    logit, _, factor = _towards_target(input, target, weight, alpha)
    output.copy_(-factor * torch.sigmoid(-logit) ** gamma * F.logsigmoid(logit))


def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Fill `grad_input` (N, K) with the derivative of each loss by its own logit."""
    logit, sign, factor = _towards_target(input, target, weight, alpha)
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
    miss = (1 - probability).clamp(min=torch.finfo(probability.dtype).tiny)
    decay = gamma * miss ** (gamma - 1)
    slope = factor * (decay * probability * probability.log() - miss**gamma)
    towards_target = _is_target(input, target).to(slope.dtype) - input
    grad_input.copy_(slope[:, None] * towards_target)


def _is_target(input: Tensor, target: Tensor) -> Tensor:
    return target[:, None] == torch.arange(input.size(1), device=input.device)


def _towards_target(
    input: Tensor, target: Tensor, weight: Tensor, alpha: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The logits signed so that more is better, these signs, and the balancing factors (N, K)."""
    dtype = kernel_dtype(input.dtype)
    positive = _is_target(input, target).to(dtype)
    sign = 2 * positive - 1
    factor = alpha * positive + (1 - alpha) * (1 - positive)
    if weight.numel() > 0:
        factor = factor * weight[target][:, None]
    return input.to(dtype) * sign, sign, factor


def _target_probability(
    input: Tensor, target: Tensor, weight: Tensor, alpha: float
) -> tuple[Tensor, Tensor]:
    """Each row's probability of its target, not quite 0, and the factor of its loss, both (N,)."""
    dtype = kernel_dtype(input.dtype)
    index = target.clamp(min=0)
    factor = alpha * (target >= 0).to(dtype)
    if weight.numel() > 0:
        factor = factor * weight[index]
    probability = input.to(dtype).gather(1, index[:, None])[:, 0]
    return probability.clamp(min=torch.finfo(dtype).tiny), factor
