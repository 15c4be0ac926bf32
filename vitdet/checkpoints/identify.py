"""Which model of ours a set of weights belongs to, told by its keys and shapes alone."""

import importlib
import re
from typing import NamedTuple

import torch
from torch import nn

from vitdet.checkpoints.families import FAMILIES
from vitdet.checkpoints.layout import Family, Layout, StateDict


class Identity(NamedTuple):
    """Where in a state dict which model of ours was found.

    Attributes:
        cls: the model's class.
        family: what is known about checkpoints of it.
        layout: the layout of the keys.
        prefix: what the model's keys begin with: "", "backbone." ...
    """

    cls: type[nn.Module]
    family: Family
    layout: Layout
    prefix: str

    def __str__(self) -> str:
        return f"a {self.cls.__name__} checkpoint ({self.layout.name} layout)"


def identify(state: StateDict) -> Identity | None:
    """Find the model of ours whose layout the keys are in, on its own or within a larger model."""
    tops = {key.partition(".")[0] + "." for key in state if "." in key}
    for prefix in ("", *sorted(tops, key=lambda top: top != "backbone.")):
        part = {key.removeprefix(prefix): v for key, v in state.items() if key.startswith(prefix)}
        for cls, family in FAMILIES.items():
            for layout in family.layouts:
                if layout.recognises(part):
                    return Identity(cls, family, layout, prefix)
    return None


def published_sizes(cls: type[nn.Module]) -> list[str]:
    """Names of the sizes that `cls` takes as `arch`."""
    return list(getattr(importlib.import_module(cls.__module__), "ARCHS", ()))


def nearest_size(identity: Identity, state: StateDict) -> tuple[str | None, int]:
    """The published size that most entries fit, and how many do not fit it.

    `state` is the model's part, its prefix taken off. Where more than half differ, there is none.
    """
    converted = identity.layout.convert({k: v.to("meta") for k, v in state.items()}).state
    best: tuple[str | None, int] = (None, len(converted) // 2)
    for arch in published_sizes(identity.cls):
        with torch.device("meta"):
            target = identity.cls(arch).state_dict()
        differing = sum(not _fits(identity.family, key, v, target) for key, v in converted.items())
        lacking = sum(
            not identity.family.optional(converted, key) for key in target if key not in converted
        )
        if differing + lacking < best[1]:
            best = arch, differing + lacking
    return best


def _fits(family: Family, key: str, tensor: torch.Tensor, target: StateDict) -> bool:
    if key not in target:
        return re.match(family.spare, key) is not None
    if tensor.shape == target[key].shape:
        return True
    resizer = family.resizers.get(key.rpartition(".")[2])
    if resizer is None:
        return False
    try:
        resizer(tensor, tuple(target[key].shape))
    except ValueError:
        return False
    return True
