"""What of a segmentor's config has to agree with its labels: ignored label, outputs, weights."""

import logging
from collections.abc import Sequence
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from vitdet.datasets.label_table import IGNORED
from vitdet.engine.config_parts import evaluators_of
from vitdet.engine.config_types import class_of, parameters_of
from vitdet.errors import UserError


def heads_of(config: Config) -> list[tuple[str, Any]]:
    """`(path, node)` of every decode and auxiliary head."""
    heads = []
    for key in ("decode_head", "auxiliary_head"):
        node = config["model"].get(key)
        if isinstance(node, Sequence):  # cascades, several auxiliary heads
            heads += [(f"model.{key}.{index}", one) for index, one in enumerate(node)]
        elif node is not None:
            heads.append((f"model.{key}", node))
    return heads


def ignored_label(config: Config) -> int:
    """The label that heads and metrics ignore and that fills the borders of a batch.

    Raises:
        UserError: the config names different ones; one of them would fail at such a pixel.
    """
    parts = heads_of(config)
    for part in ("val", "test"):
        parts += [(f"{part}_evaluator", node) for node in evaluators_of(config, part)]
    found = {f"{path}.ignore_index": node.get("ignore_index", IGNORED) for path, node in parts}
    preprocessor = config["model"].get("data_preprocessor") or {}
    found["model.data_preprocessor.seg_pad_val"] = preprocessor.get("seg_pad_val", IGNORED)
    if len(set(found.values())) > 1:
        stated = ", ".join(f"{key} {label}" for key, label in found.items())
        raise UserError(f"the label to ignore has to be one and the same everywhere, not {stated}")
    return next(iter(found.values()))


def leave_outputs_open(config: Config) -> None:
    """Take away the outputs and class weights that heads state for other data, in place.

    A single output stays: it is the binary form, for any data of two classes.
    """
    for path, head in heads_of(config):
        if not _tells_outputs(head, config["default_scope"]):
            continue
        if (head.get("out_channels") or 1) > 1:
            del head["out_channels"]
        for loss in _losses(head):
            weights = loss.get("class_weight")
            if isinstance(weights, list | tuple) and len(weights) == head.get("num_classes"):
                del loss["class_weight"]
                print_log(
                    f"{path}.loss_decode.class_weight weighs the classes of other data: left out",
                    logger="current",
                    level=logging.WARNING,
                )


def check_outputs(config: Config, num_classes: int) -> None:
    """Look whether outputs and losses of the heads are made for `num_classes`.

    Raises:
        UserError: the number of outputs or of class weights is another, or a loss cannot learn from
            a single output.
    """
    for path, head in heads_of(config):
        outputs = head.get("out_channels") or num_classes
        if not _tells_outputs(head, config["default_scope"]):
            continue
        if outputs != num_classes and (outputs, num_classes) != (1, 2):
            raise UserError(
                f"{path}.out_channels is {outputs}, but the data has {num_classes} classes; leave "
                "it out of the config and it follows from the data"
            )
        for loss in _losses(head):
            if outputs == 1 and not loss.get("use_sigmoid") and "CrossEntropy" in _name(loss):
                raise UserError(
                    f"{path}.out_channels is 1, of which a softmax is always 1 and learns nothing: "
                    f"set {path}.loss_decode.use_sigmoid=True, or leave out_channels out"
                )
            weights = loss.get("class_weight")
            if isinstance(weights, Sequence) and not isinstance(weights, str):
                _check_weights(f"{path}.loss_decode.class_weight", len(weights), outputs)


def _losses(head: Any) -> Sequence[Any]:
    losses = head.get("loss_decode") or {}
    return [losses] if isinstance(losses, dict) else losses


def _check_weights(key: str, num_weights: int, outputs: int) -> None:
    if num_weights != outputs:
        raise UserError(
            f"{key} has {num_weights} numbers for {outputs} classes; give one for each, or leave "
            "it out"
        )


def _tells_outputs(head: Any, scope: str) -> bool:
    """Whether `out_channels` counts classes; mask classification uses the name for features."""
    return {"out_channels", "threshold"} <= set(parameters_of(class_of(head, scope)))


def _name(loss: Any) -> str:
    cls = loss.get("type")
    return cls if isinstance(cls, str) else getattr(cls, "__name__", "")
