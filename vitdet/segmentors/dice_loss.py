"""Overlap of predicted and true areas as a loss, for classes that cover few pixels."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from vitdet.registry import MODELS


@MODELS.register_module()
class ClassDiceLoss(nn.Module):
    """One minus the Dice coefficient of each class over the whole batch, averaged over classes.

    2 |P T| / (|P| + |T|) with probabilities in place of the predicted set (Milletari et al. 2016,
    arXiv:1606.04797). mmseg's `DiceLoss` lays all classes of an image together, so that the
    background decides; here each class counts the same, and classes from `first_class` on count.

    Args:
        loss_weight: factor of the loss.
        first_class: 1 leaves out a background that is class 0.
        smoothing: added to both sides, in pixels: a class that is not there and is not predicted
            has no loss.
        loss_name: key of the loss in logs; it has to begin with `loss_`.
    """

    def __init__(
        self,
        *,
        loss_weight: float = 1.0,
        first_class: int = 0,
        smoothing: float = 1.0,
        loss_name: str = "loss_dice",
    ) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.first_class = first_class
        self.smoothing = smoothing
        self.loss_name = loss_name

    def forward(self, logits: Tensor, labels: Tensor, ignore_index: int = 255, **_: Any) -> Tensor:
        """The loss of `logits` (B, K, H, W) against `labels` (B, H, W)."""
        counted = labels != ignore_index
        truth = F.one_hot(labels.where(counted, 0), logits.shape[1]).permute(0, 3, 1, 2)
        truth = truth.to(logits) * counted[:, None]
        predicted = logits.softmax(dim=1) * counted[:, None]
        overlap = (predicted * truth).sum(dim=(0, 2, 3))
        areas = predicted.sum(dim=(0, 2, 3)) + truth.sum(dim=(0, 2, 3))
        dice = (2 * overlap + self.smoothing) / (areas + self.smoothing)
        return self.loss_weight * (1 - dice[self.first_class :]).mean()
