"""A random choice of objects and background, as large in each image (arXiv:1506.01497, 3.1.3).

The numbers of mmdet's `RandomSampler`. A choice at random of those with a property are the largest
of random keys: their number is known beforehand, and nobody has to ask where the property holds.
"""

from typing import NamedTuple

import torch
from mmdet.models.task_modules.samplers import RandomSampler
from torch import Tensor

_CHOSEN = 2.0  # above any key


class Samples(NamedTuple):
    """Chosen boxes, objects first.

    Attributes:
        places: (B, S) among the boxes of the image.
        is_object: (B, S), of the others those there are background.
        is_there: (B, S), false where there was not enough to choose from.
    """

    places: Tensor
    is_object: Tensor
    is_there: Tensor


def is_known(sampler: object) -> bool:
    """Whether `sample` does what this sampler does."""
    return type(sampler) is RandomSampler


@torch.no_grad()
def sample(assigned: Tensor, sampler: RandomSampler) -> Samples:
    """Choose among boxes, of which assigned: (B, N) has been found by `assign`."""
    total = min(sampler.num, assigned.shape[1])
    most_objects = min(int(sampler.num * sampler.pos_fraction), assigned.shape[1])
    keys = torch.rand(assigned.shape, device=assigned.device)
    found, objects = torch.where(assigned > 0, keys, -1.0).topk(most_objects)
    keys = torch.where(assigned == 0, keys, -1.0)
    # A place that was found for want of an object keeps its key.
    keys.scatter_(1, objects, torch.where(found >= 0, _CHOSEN, keys.gather(1, objects)))
    keys, places = keys.topk(total)
    is_object, is_there = keys == _CHOSEN, keys >= 0
    if sampler.neg_pos_ub >= 0:
        num_objects = is_object.sum(1, keepdim=True)
        limit = num_objects + (num_objects.clamp(min=1) * sampler.neg_pos_ub).long()
        is_there &= torch.arange(total, device=keys.device) < limit
    return Samples(places, is_object, is_there)
