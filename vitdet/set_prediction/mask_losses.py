"""How far predicted masks are from the objects' (DETR, sec. 4.4)."""

import torch.nn.functional as F
from torch import Tensor


def focal_loss(logits: Tensor, masks: Tensor, *, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Sigmoid focal loss (Lin et al. 2017, arXiv:1708.02002, eq. 5).

    Args:
        logits: (M, H, W).
        masks: (M, H, W) 0 or 1, float.
        alpha: weight of the pixels inside; those outside have 1 - alpha.
        gamma: how much less pixels count that are predicted well.

    Returns:
        The mean over the pixels of each mask, summed over masks.
    """
    cross_entropy = F.binary_cross_entropy_with_logits(logits, masks, reduction="none")
    # Of 0 and 1: the probability of the wrong answer, and the weight of the right one.
    wrong = (logits.sigmoid() - masks).abs()
    weight = masks * (2 * alpha - 1) + (1 - alpha)
    return (weight * cross_entropy * wrong**gamma).mean((1, 2)).sum()


def dice_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """1 minus the dice coefficient (Milletari et al. 2016, arXiv:1606.04797), summed over masks.

    Args:
        logits: (M, H, W).
        masks: (M, H, W) 0 or 1, float.
    """
    probabilities, masks = logits.sigmoid().flatten(1), masks.flatten(1)
    overlap = 2 * (probabilities * masks).sum(1)
    return (1 - (overlap + 1) / (probabilities.sum(1) + masks.sum(1) + 1)).sum()
