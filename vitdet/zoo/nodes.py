"""Walk through a config."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config


def nodes_of(node: Any) -> Iterator[Any]:
    """Every dictionary in a config, the outer ones first."""
    if isinstance(node, Config):  # no Mapping, though it looks like one
        node = node.to_dict()
    if isinstance(node, Mapping):
        yield node
        for value in node.values():
            yield from nodes_of(value)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for value in node:
            yield from nodes_of(value)
