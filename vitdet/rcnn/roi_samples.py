"""The regions that the heads of R-CNN learn from: proposals, matched to objects and sampled."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vitdet.device import to_device
from vitdet.rcnn.assignment import assign
from vitdet.rcnn.objects import Objects
from vitdet.rcnn.sampling import sample


class RoISamples(NamedTuple):
    """Regions of all images, by the level of the pyramid they are read from, objects first.

    Attributes:
        rois: (R, 5) index into the batch, x1, y1, x2, y2.
        labels: (R,) class of the object, `num_classes` for background.
        targets: (R, 4) xyxy of the object, without meaning for background.
        objects: (R,) place among the objects of all images, one after another, likewise.
        slots: (R,) places among the (B * S) samples of images and slots, of which `num_slots` = S.
        are_objects: (B * S) slots in which the box is that of an object itself.
        counts: regions with an object, and of background, of each level.
        num_slots: samples of each image.
    """

    rois: Tensor
    labels: Tensor
    targets: Tensor
    objects: Tensor
    slots: Tensor
    are_objects: Tensor
    counts: list[tuple[int, int]]
    num_slots: int

    @property
    def level_sizes(self) -> list[int]:
        return [sum(pair) for pair in self.counts]

    @property
    def positive_level_sizes(self) -> list[int]:
        return [positive for positive, _ in self.counts]

    def positive(self, rows: Tensor) -> Tensor:
        """Those of (R, ...) rows that belong to regions with an object."""
        parts = rows.split([size for pair in self.counts for size in pair])
        return torch.cat(parts[::2])


@torch.no_grad()
def sample_rois(
    proposals: Tensor,
    is_proposal: Tensor,
    objects: Objects,
    *,
    assigner: Any,
    sampler: Any,
    num_classes: int,
    num_levels: int,
    level_of: Callable[[Tensor], Tensor],
) -> RoISamples:
    """Match proposals to objects and choose some; the host waits once, for their numbers.

    Args:
        proposals: (B, P, 4) xyxy.
        is_proposal: (B, P).
        objects: of the B images.
        assigner: mmdet's, known to `assign`.
        sampler: mmdet's, known to `sample`.
        num_classes: label of background.
        num_levels: of the pyramid.
        level_of: finds the level (R,) of regions (R, 5).
    """
    assigned = assign(proposals, is_proposal, objects, assigner)
    num_added = 0
    if sampler.add_gt_as_proposals:
        num_added = objects.boxes.shape[1]
        numbers = torch.arange(1, num_added + 1, device=assigned.device)
        assigned = torch.cat([torch.where(objects.is_there, numbers, -1), assigned], dim=1)
        proposals = torch.cat([objects.boxes, proposals], dim=1)
    samples = sample(assigned, sampler)
    batch, num_slots = samples.places.shape

    boxes = proposals.gather(1, samples.places[..., None].expand(-1, -1, 4))
    own = assigned.gather(1, samples.places).sub_(1).clamp_(min=0)  # (B, S)
    targets = objects.boxes.gather(1, own[..., None].expand(-1, -1, 4))
    labels = torch.where(samples.is_object, objects.labels.gather(1, own), num_classes)
    starts = torch.tensor([0, *objects.counts[:-1]]).cumsum(0)
    own += to_device(starts, own.device)[:, None]
    images = torch.arange(batch, device=boxes.device, dtype=boxes.dtype)
    rois = torch.cat([images[:, None, None].expand(-1, num_slots, 1), boxes], dim=-1).flatten(0, 1)

    kind = level_of(rois) * 2 + ~samples.is_object.flatten()
    kind = torch.where(samples.is_there.flatten(), kind, 2 * num_levels)
    kinds = torch.arange(2 * num_levels, device=kind.device)
    counts = (kind[:, None] == kinds).sum(dim=0).tolist()
    slots = kind.argsort(stable=True)[: sum(counts)]
    return RoISamples(
        rois[slots],
        labels.flatten()[slots],
        targets.flatten(0, 1)[slots],
        own.flatten()[slots],
        slots,
        (samples.places < num_added).flatten(),
        list(zip(counts[::2], counts[1::2], strict=True)),
        num_slots,
    )
