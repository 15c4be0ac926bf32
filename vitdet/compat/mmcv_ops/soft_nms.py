"""Soft-NMS (Bodla et al. 2017): overlapping boxes lose score instead of being removed."""

import numpy as np
import torch
from torch import Tensor

from vitdet.compat.mmcv_ops.box_iou import iou_of_one

_LINEAR, _GAUSSIAN = 1, 2  # the values of `method`; 0 sets the score to 0, as plain NMS


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Indices (K,) of the boxes returned; rows 0 to K - 1 of `dets` get box and decayed score.

    The order is part of the contract: a box whose score falls below `min_score` gives its place to
    the last one, which decides among equal scores. The best box returns whatever its score.

    boxes: (N, 4) x1, y1, x2, y2
    scores: (N,)
    dets: (N, 5), on the host
    """
    coordinates = boxes.detach().cpu().float().numpy()
    score = scores.detach().cpu().float().numpy().copy()
    order = np.arange(len(score))  # selected boxes, then those that remain
    num_selected = 0
    while num_selected < len(order):
        best = num_selected + int(score[order[num_selected:]].argmax())
        order[[num_selected, best]] = order[[best, num_selected]]
        selected = order[num_selected]
        num_selected += 1
        rest = order[num_selected:]
        iou = iou_of_one(coordinates[selected], coordinates[rest], offset)
        score[rest] *= _decay(iou, method, np.float32(iou_threshold), np.float32(sigma))
        rest = _fill_from_the_end(rest, score[rest] >= np.float32(min_score))
        order = np.concatenate([order[:num_selected], rest])
    dets[: len(order), :4] = torch.from_numpy(coordinates[order])
    dets[: len(order), 4] = torch.from_numpy(score[order])
    return torch.from_numpy(order)


def _decay(iou: np.ndarray, method: int, threshold: np.float32, sigma: np.float32) -> np.ndarray:
    """Factors (N,) on the scores of boxes whose IoU with the selected box is `iou`."""
    if method == _GAUSSIAN:
        return np.exp(-(iou * iou) / sigma)
    overlapping = 1 - iou if method == _LINEAR else np.zeros_like(iou)
    return np.where(iou >= threshold, overlapping, np.float32(1))


def _fill_from_the_end(items: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """The items to keep: each hole is filled by the last of them, the first hole first."""
    num_kept = int(keep.sum())
    holes = np.flatnonzero(~keep[:num_kept])
    fillers = num_kept + np.flatnonzero(keep[num_kept:])
    kept = items[:num_kept].copy()
    kept[holes] = items[fillers[::-1]]
    return kept
