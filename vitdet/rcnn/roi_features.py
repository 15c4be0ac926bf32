"""Features of regions, from the level of their size (Lin et al. 2017, arXiv:1612.03144, eq. 1)."""

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from torch import Tensor


def is_known(extractor: Any) -> bool:
    """Whether `roi_features` reads what this extractor does."""
    return type(extractor) is SingleRoIExtractor


def are_alike(extractor: SingleRoIExtractor, other: SingleRoIExtractor) -> bool:
    """Whether both read a region from the same level."""
    names = ("num_inputs", "finest_scale", "featmap_strides")
    return all(getattr(extractor, name) == getattr(other, name) for name in names)


def levels_of(extractor: SingleRoIExtractor, rois: Tensor) -> Tensor:
    """Level (R,) of each region (R, 5)."""
    return extractor.map_roi_levels(rois, extractor.num_inputs)


def roi_features(
    extractor: SingleRoIExtractor, maps: Sequence[Tensor], rois: Tensor, level_sizes: list[int]
) -> Tensor:
    """Features (R, C, size, size) of rois: (R, 5), which come in the order of their levels.

    Every level takes part, also without regions: in distributed training none may lack a gradient.
    Unlike in mmdet coordinates keep their precision where maps have half of it: in bfloat16 those
    of a large image are multiples of 4 pixels.
    """
    maps = maps[: extractor.num_inputs]
    layers = zip(extractor.roi_layers, maps, rois.split(level_sizes), strict=True)
    return torch.cat([layer(level.to(rois.dtype), part) for layer, level, part in layers])


def features_of(extractor: Any, maps: Sequence[Tensor], rois: Tensor) -> Tensor:
    """Features (R, C, size, size) of rois: (R, 5) in any order, as `extractor` gives them.

    The host waits once: for the number of regions of each level. mmdet waits on each level.
    """
    if not is_known(extractor) or extractor.num_inputs == 1:
        return extractor(maps[: extractor.num_inputs], rois)
    levels = levels_of(extractor, rois)
    order = levels.argsort()
    numbers = torch.arange(extractor.num_inputs, device=levels.device)
    sizes = (levels[:, None] == numbers).sum(dim=0).tolist()
    found = roi_features(extractor, maps, rois[order], sizes)
    return found[order.argsort()].to(maps[0].dtype)
