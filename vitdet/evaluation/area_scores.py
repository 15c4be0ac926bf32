"""Scores of semantic segmentation, for each class, from the areas of the classes."""

from collections.abc import Sequence

import torch
from torch import Tensor

IOU_METRICS = ("mIoU", "mDice", "mFscore")


def class_scores(
    areas: Tensor, metrics: Sequence[str] = ("mIoU",), *, beta: float = 1
) -> dict[str, Tensor]:
    """Score each class by IoU and recall ("Acc"), and by dice and F-score where asked for.

    With I, P and T the pixels of a class in both maps, predicted and true:

    - mIoU: "IoU" I / (P + T - I), "Acc" I / T
    - mDice: "Dice" 2 I / (P + T), "Acc"
    - mFscore: "Fscore" (1 + beta^2) I / (P + beta^2 T), "Precision" I / P, "Recall" I / T

    Where a quotient has no denominator stands NaN, which a mean leaves out, as in mmseg: a class
    without true pixels has no Acc, Fscore and Recall, but an IoU and a Dice of 0 as soon as one
    pixel is predicted as it. Other than in mmseg, where it is 0 / 0, the F-score of a class that is
    there but nowhere found is 0, and lowers the mean.

    Args:
        areas: (3, K) int64, summed over all images; see `areas_of`.
        metrics: of `IOU_METRICS`.
        beta: how much more recall weighs than precision.

    Returns:
        By name: (K,) float64, 0 to 1 or NaN.
    """
    both, predicted, true = areas.double()
    scores = {}
    for metric in metrics:
        if metric == "mIoU":
            scores |= {"IoU": both / (predicted + true - both), "Acc": both / true}
        elif metric == "mDice":
            scores |= {"Dice": 2 * both / (predicted + true), "Acc": both / true}
        else:
            f_score = (1 + beta**2) * both / (predicted + beta**2 * true)
            scores |= {
                "Fscore": f_score.where(true > 0, torch.nan),
                "Precision": both / predicted,
                "Recall": both / true,
            }
    return scores
