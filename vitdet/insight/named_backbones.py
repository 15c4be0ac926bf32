"""Backbones to look at: of a checkpoint, of a config, or by the name of a published size."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mmengine.logging import MMLogger
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from vitdet import backbones
from vitdet.checkpoints.embedded_config import embedded_config, embedded_model, embedded_scope
from vitdet.checkpoints.files import read_checkpoint
from vitdet.engine.backbone_names import backbone_names, resolve_backbone
from vitdet.engine.config import load_model_config
from vitdet.engine.config_file import find_config
from vitdet.errors import UserError
from vitdet.insight.model_view import load_predictor

CHECKPOINT_SUFFIXES = (".pth", ".pt", ".tar", ".safetensors")


class NamedBackbone(NamedTuple):
    """A backbone and what to call it."""

    title: str
    backbone: nn.Module


def named_backbones(given: str, *, device: str | None = None) -> Iterator[NamedBackbone]:
    """The backbones that an argument stands for, in evaluation mode.

    A checkpoint stands for two, before the training and after it; a config and a name such as
    `swin-tiny` for one, as it is initialized at random.

    Raises UserError if it is none of these, or if the model has no backbone.
    """
    if given.endswith(CHECKPOINT_SUFFIXES):
        trained = load_predictor(given, device)
        title = "/".join(Path(given).parts[-2:])
        yield NamedBackbone(f"{title} before training", _untrained(given).to(trained.device).eval())
        yield NamedBackbone(f"{title} after training", _backbone_of(given, trained.model))
        return
    try:
        named = resolve_backbone(given)
    except UserError as error:
        try:
            find_config(given)
        except UserError:
            raise UserError(
                f"{given} is no checkpoint ({', '.join(CHECKPOINT_SUFFIXES)}), no config and none "
                f"of the backbones {', '.join(backbone_names()[:8])}, ..."
            ) from error
        config = load_model_config(given)
        node = _without_weights(config.model)
        with DefaultScope.overwrite_default_scope(config.default_scope):
            model = MODELS.build(node)
        backbone, title = _backbone_of(given, model), Path(config.filename).stem
    else:
        backbone, title = getattr(backbones, named.cls)(**named.arguments), given
    _initialize(backbone)
    yield NamedBackbone(f"{title}, untrained", backbone.eval())


def _untrained(checkpoint: str) -> nn.Module:
    """The backbone of a checkpoint, as it was initialized at random."""
    config = embedded_config(read_checkpoint(checkpoint))
    with DefaultScope.overwrite_default_scope(embedded_scope(config)):
        backbone = _backbone_of(checkpoint, MODELS.build(embedded_model(config)))
    _initialize(backbone)
    return backbone


def _initialize(backbone: nn.Module) -> None:
    """Initialize at random, without mmengine's line about each parameter."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        backbone.init_weights()
    finally:
        logger.setLevel(level)


def _backbone_of(given: str, model: nn.Module) -> nn.Module:
    backbone = getattr(model, "backbone", None)
    if not isinstance(backbone, nn.Module):
        raise UserError(f"{given}: {type(model).__name__} has no backbone to look at")
    return backbone


def _without_weights(node: object) -> object:
    """A config's node without what names weights to start from."""
    if isinstance(node, dict):
        return type(node)(
            {
                key: _without_weights(value)
                for key, value in node.items()
                if key not in ("init_cfg", "pretrained")
            }
        )
    if isinstance(node, list | tuple):
        return type(node)(_without_weights(value) for value in node)
    return node
