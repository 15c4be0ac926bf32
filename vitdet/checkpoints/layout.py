"""What a published checkpoint layout is: how to recognise it, and its entries under our names."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

StateDict = Mapping[str, Tensor]
Replacement = str | Callable[[re.Match[str]], str]


@dataclass
class Converted:
    """A state dict under our names, and the keys that have no place in it, as they were."""

    state: dict[str, Tensor] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)


class Layout(NamedTuple):
    """One published layout of a model family.

    Attributes:
        name: who publishes in it, for reports.
        recognises: whether a set of keys is of this layout.
        convert: maps all entries; what it does not know keeps its name, and is refused later.
    """

    name: str
    recognises: Callable[[StateDict], bool]
    convert: Callable[[StateDict], Converted]


class Family(NamedTuple):
    """A model class and everything known about checkpoints of it.

    Attributes:
        layouts: in the order they are asked; each recognises itself.
        resizers: our key, or its last part -> function of (tensor, shape wanted) that interpolates
            an entry made for another size, or raises ValueError if the shapes cannot be reconciled.
            An entry of other dimensions than ours it may lay out as ours.
        optional: given our keys that the file has, which of the absent ones may stay fresh.
        spare: pattern of our keys that a smaller model of the family may leave unused.
        addable: pattern of our keys that training may start anew where the file has none of them.
        class_entries: our keys that have a row for each class and a last one for "no object".
        published_classes: given a number of rows, the name of each class in published files, which
            do not tell them.
    """

    layouts: tuple[Layout, ...]
    resizers: Mapping[str, Callable[[Tensor, tuple[int, ...]], Tensor]]
    optional: Callable[[StateDict, str], bool]
    spare: str
    addable: str = "(?!)"
    class_entries: tuple[str, ...] = ()
    published_classes: Callable[[int], Sequence[str | None] | None] = lambda num_rows: None


def rename(
    state: StateDict, renames: Iterable[tuple[str, Replacement]], ignored: Iterable[str] = ()
) -> Converted:
    """Apply every (pattern, replacement) to every key, leaving out keys that match `ignored`."""
    renames = [(re.compile(pattern), replacement) for pattern, replacement in renames]
    is_ignored = re.compile("|".join(ignored) or "(?!)").search
    converted = Converted()
    for key, tensor in state.items():
        if is_ignored(key):
            converted.ignored.append(key)
            continue
        for pattern, replacement in renames:
            key = pattern.sub(replacement, key)
        converted.state[key] = tensor
    return converted


def join_qkv(state: dict[str, Tensor]) -> None:
    """Join, in place, `attn.query.*`, `attn.key.*` and `attn.value.*` to our `attn.qkv.*`."""
    for query_key in [key for key in state if ".attn.query." in key]:
        keys = [query_key.replace(".query.", f".{part}.") for part in ("query", "key", "value")]
        if all(key in state for key in keys):
            joined = torch.cat([state.pop(key) for key in keys])
            state[query_key.replace(".query.", ".qkv.")] = joined
