"""The data of a config: its parts, with their dataset and evaluator nodes."""

from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.config import Config

Part = tuple[str, Any, Sequence[Any]]
"""Name of a part ("train", "val", "test"), its dataset node and its evaluator nodes."""


def datasets_of(config: Config) -> Iterator[tuple[str, Any]]:
    """`(part, dataset node)` for every loader, wrappers such as RepeatDataset taken off."""
    for part in ("train", "val", "test"):
        loader = config.get(f"{part}_dataloader")
        if loader is not None:
            for node in _unwrapped(loader["dataset"]):
                yield part, node


def _unwrapped(node: Any) -> list[Any]:
    if "datasets" in node:  # ConcatDataset
        return [one for several in node["datasets"] for one in _unwrapped(several)]
    return _unwrapped(node["dataset"]) if "dataset" in node else [node]


def evaluators_of(config: Config, part: str) -> list[Any]:
    """Evaluator nodes of one part; the config may hold one, several or none."""
    evaluator = config.get(f"{part}_evaluator")
    if evaluator is None:
        return []
    return list(evaluator) if isinstance(evaluator, list | tuple) else [evaluator]


def parts_of(config: Config) -> list[Part]:
    """Every part that has a loader, with its dataset node and its evaluators."""
    return [(part, node, evaluators_of(config, part)) for part, node in datasets_of(config)]
