"""Bipartite matching of predictions and objects (Carion et al. 2020, arXiv:2005.12872, eq. 1)."""

import logging
from typing import NamedTuple

import numpy as np
import torch
from mmengine.logging import print_log
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from vitdet.errors import UserError
from vitdet.set_prediction.boxes import cxcywh_to_xyxy, generalized_iou
from vitdet.set_prediction.targets import ABSENT, Targets


class Matches(NamedTuple):
    """Pairs of a query and an object, as many in each decoder layer; ordered by image, query.

    Attributes:
        images: (M,) the image of each pair, in every layer the same.
        queries: (num_layers, M).
        objects: (num_layers, M) places in the image's targets.
    """

    images: Tensor
    queries: Tensor
    objects: Tensor


class HungarianMatcher:
    """Finds for each image the pairs of least total cost.

    The costs of all images and all decoder layers are computed together, an image's queries against
    its own objects only, cross to the host in one copy, and are solved there.

    Args:
        class_cost: weight of minus the probability of the object's class.
        l1_cost: weight of the L1 distance of the boxes.
        giou_cost: weight of minus their generalized IoU.
    """

    def __init__(
        self, *, class_cost: float = 1.0, l1_cost: float = 5.0, giou_cost: float = 2.0
    ) -> None:
        if not (class_cost or l1_cost or giou_cost):
            raise UserError("HungarianMatcher: all costs are 0, give at least one a weight")
        self.class_cost = class_cost
        self.l1_cost = l1_cost
        self.giou_cost = giou_cost
        self._has_warned = False

    @torch.no_grad()
    def __call__(self, logits: Tensor, boxes: Tensor, targets: Targets) -> Matches:
        """Match the predictions of every layer and image.

        Args:
            logits: (num_layers, B, Q, K + 1), no object last.
            boxes: (num_layers, B, Q, 4) cxcywh as shares of the image.
            targets: the objects of the B images.

        Raises:
            UserError: a prediction is NaN or infinite, a box of a target is NaN or inverted, or
                there is no such class; the image is named.
        """
        num_classes = logits.shape[-1] - 1
        cost = self.costs(logits, boxes, targets)
        # Any number of a query that is none makes these two none, objects or not.
        health = logits.float().sum(-1) + boxes.float().sum(-1)
        state = _state_of_targets(targets, num_classes)
        cost, health, state = _to_host(cost, health, state)
        self._check(health, state, targets, num_classes)
        pairs = self._solve(cost, state)
        if logits.device.type == "cuda":
            pairs = pairs.pin_memory()
        pairs = pairs.to(logits.device, non_blocking=True)  # (2 * num_layers + 1, M)
        num_layers = logits.shape[0]
        return Matches(pairs[0], pairs[1 : num_layers + 1], pairs[num_layers + 1 :])

    def costs(self, logits: Tensor, boxes: Tensor, targets: Targets) -> Tensor:
        """Cost of each pair, (num_layers, B, Q, T); without meaning where there is no object."""
        probabilities, boxes = logits.float().softmax(-1), boxes.float()
        # Classes that do not exist are reported later, and must not be looked up before.
        labels = targets.labels.clamp(0, logits.shape[-1] - 2)
        objects = targets.boxes.float()
        if logits.device.type != "cpu":
            return self._pair_costs(probabilities, boxes, labels, objects)
        # Image by image all temporaries stay in the cache, and nothing is spent on padding.
        cost = boxes.new_empty(*boxes.shape[:-1], labels.shape[1])
        for image, count in enumerate(_extents(targets.labels)):
            here = slice(image, image + 1)
            cost[:, here, :, :count] = self._pair_costs(
                probabilities[:, here], boxes[:, here], labels[here, :count], objects[here, :count]
            )
        return cost

    def _pair_costs(
        self, probabilities: Tensor, boxes: Tensor, labels: Tensor, objects: Tensor
    ) -> Tensor:
        """Costs (num_layers, B, Q, T); labels: (B, T); objects: (B, T, 4)."""
        giou = generalized_iou(
            cxcywh_to_xyxy(boxes)[..., None, :], cxcywh_to_xyxy(objects)[:, None]
        )
        cost = giou.mul_(-self.giou_cost)
        cost.add_(_l1_distances(boxes, objects), alpha=self.l1_cost)
        labels = labels[:, None].expand(cost.shape)
        return cost.sub_(probabilities.gather(-1, labels), alpha=self.class_cost)

    def _check(
        self, health: np.ndarray, state: np.ndarray, targets: Targets, num_classes: int
    ) -> None:
        """Raise UserError for what cannot be matched, warn once of what cannot all be."""
        for image in np.flatnonzero((state == BAD).any(1)):
            raise UserError(_complaint(targets, int(image), num_classes))
        num_objects, num_queries = (state == PRESENT).sum(1), health.shape[2]
        is_bad = ~np.isfinite(health).all(0)  # (B, Q)
        for image in np.flatnonzero(is_bad.any(1)):
            raise UserError(
                f"{targets.names[image]}: {is_bad[image].sum()} of {num_queries} predictions are "
                "NaN or infinite, training has diverged; lower the learning rate, clip gradients, "
                "or go back to an earlier checkpoint"
            )
        image = int(num_objects.argmax())
        if num_objects[image] > num_queries and not self._has_warned:
            self._has_warned = True
            print_log(
                f"{targets.names[image]} has {num_objects[image]} objects, but the model has only "
                f"{num_queries} queries: the others stay unmatched, here and in other such images; "
                "raise num_queries",
                logger="current",
                level=logging.WARNING,
            )

    def _solve(self, cost: np.ndarray, state: np.ndarray) -> Tensor:
        """Least-cost pairs as rows: images, queries of each layer, objects of each layer."""
        num_layers, batch = cost.shape[:2]
        images = []
        queries, objects = ([[] for _ in range(num_layers)] for _ in range(2))
        for image in range(batch):
            there = np.flatnonzero(state[image] == PRESENT)
            is_gapless = len(there) == 0 or there[-1] + 1 == len(there)
            columns = slice(len(there)) if is_gapless else there
            for layer in range(num_layers):
                rows, found = linear_sum_assignment(cost[layer, image][:, columns])
                queries[layer].append(rows)
                objects[layer].append(there[found])
            images.append(np.full(len(rows), image))
        stacked = np.stack([np.concatenate(row) for row in (images, *queries, *objects)])
        return torch.from_numpy(stacked.astype(np.int64, copy=False))


PRESENT, MISSING, BAD = 0, 1, 2


def _state_of_targets(targets: Targets, num_classes: int) -> Tensor:
    """(B, T): whether each is an object, none, or one that no prediction can be compared with."""
    is_absent = targets.labels == ABSENT
    is_bad = (targets.labels < 0) | (targets.labels >= num_classes)
    is_bad |= ~targets.boxes.isfinite().all(-1) | (targets.boxes[..., 2:] < 0).any(-1)
    return torch.where(is_absent, MISSING, is_bad * BAD)


def _extents(labels: Tensor) -> list[int]:
    """Places of each image up to its last object; labels: (B, T) on the CPU."""
    is_present = labels.numpy() != ABSENT
    return [int(np.flatnonzero(row)[-1]) + 1 if row.any() else 0 for row in is_present]


def _l1_distances(boxes: Tensor, others: Tensor) -> Tensor:
    """Distance of each of boxes: (num_layers, B, Q, 4) to each of others: (B, T, 4).

    `torch.cdist` is the fast way on a CPU and the slow one on a GPU, where it has a thread group
    for each pair to add four numbers.
    """
    if boxes.device.type == "cpu":
        return torch.cdist(boxes, others.expand(len(boxes), -1, -1, -1), p=1)
    differences = (boxes[..., None, i] - others[:, None, :, i] for i in range(4))
    return sum(difference.abs_() for difference in differences)


def _to_host(*tensors: Tensor) -> list[np.ndarray]:
    """All as arrays, in one copy; from a GPU they come as float32."""
    if tensors[0].device.type == "cpu":
        return [tensor.numpy() for tensor in tensors]
    packed = torch.cat([tensor.flatten().float() for tensor in tensors]).cpu()
    parts = packed.split([tensor.numel() for tensor in tensors])
    return [part.view(t.shape).numpy() for part, t in zip(parts, tensors, strict=True)]


def _complaint(targets: Targets, image: int, num_classes: int) -> str:
    """What is wrong with the first target of the image that cannot be matched."""
    for label, box in zip(targets.labels[image].tolist(), targets.boxes[image], strict=True):
        if label != ABSENT and not 0 <= label < num_classes:
            return (
                f"{targets.names[image]}: label {label}, but the model has {num_classes} classes, "
                "from 0; correct the annotations or num_classes"
            )
        if not box.isfinite().all() or (box[2:] < 0).any():
            shown = ", ".join(f"{value:.4g}" for value in box.tolist())
            return (
                f"{targets.names[image]}: the box (cx, cy, w, h) = ({shown}), in shares of the "
                "image, is NaN or inverted; correct the annotations"
            )
    raise AssertionError("no target of this image is bad")
