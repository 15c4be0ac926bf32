"""Which model of ours a set of weights belongs to, told by its keys and shapes alone."""

import importlib
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vitdet.checkpoints.families import FAMILIES
from vitdet.checkpoints.layout import Family, Layout, StateDict

BACKBONE = "backbone."
Resizer = Callable[[Tensor, tuple[int, ...]], Tensor]


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
    for prefix in ("", *sorted(tops, key=lambda top: top != BACKBONE)):
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
    converted, resizers = _converted(identity, {k: v.to("meta") for k, v in state.items()})
    best: tuple[str | None, int] = (None, len(converted) // 2)
    for arch in published_sizes(identity.cls):
        with torch.device("meta"):
            target = identity.cls(arch).state_dict()
        differing = sum(
            not _fits(resizers, identity.family.spare, key, v, target)
            for key, v in converted.items()
        )
        lacking = sum(
            not identity.family.optional(converted, key) for key in target if key not in converted
        )
        if differing + lacking < best[1]:
            best = arch, differing + lacking
    return best


def _converted(identity: Identity, state: StateDict) -> tuple[StateDict, Mapping[str, Resizer]]:
    """The entries under our names, also those of a backbone within, and what resizes them."""
    converted, resizers = identity.layout.convert(state).state, identity.family.resizers
    inner = {
        key.removeprefix(BACKBONE): v for key, v in converted.items() if key.startswith(BACKBONE)
    }
    found = identify(inner)
    if found is None or found.prefix:
        return converted, resizers
    whole = {key: v for key, v in converted.items() if not key.startswith(BACKBONE)}
    whole |= {BACKBONE + key: v for key, v in found.layout.convert(inner).state.items()}
    return whole, {**found.family.resizers, **resizers}


def _fits(
    resizers: Mapping[str, Resizer], spare: str, key: str, tensor: Tensor, target: StateDict
) -> bool:
    if key not in target:
        return re.match(spare, key) is not None
    if tensor.shape == target[key].shape:
        return True
    resizer = resizers.get(key.rpartition(".")[2])
    if resizer is None:
        return False
    try:
        resizer(tensor, tuple(target[key].shape))
    except ValueError:
        return False
    return True
