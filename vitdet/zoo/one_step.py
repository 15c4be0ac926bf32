"""One training step and one prediction of a config's model on synthetic images."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from vitdet.zoo.classification_batch import classification_batch
from vitdet.zoo.detection_batch import detection_batch, loads_masks
from vitdet.zoo.nodes import nodes_of
from vitdet.zoo.offline import drop_weights
from vitdet.zoo.segmentation_batch import segmentation_batch

SIDES = (64, 128, 320, 640)
"""Sizes of the images in pixels: the next is tried where a model wants larger ones."""

_SAMPLED_BOXES = 32  # of an image; a mask head spends seconds on 128
_KEPT = 100  # proposals and results of an image: with random scores all of 13,204 classes pass
_WHAT_A_RUNNER_TELLS = dict(iter=0, epoch=0, max_iters=1, max_epochs=1)


class StepError(Exception):
    """A step ended, and what it gave is wrong."""


def build_model(config: Mapping[str, Any], device: str) -> nn.Module:
    """The model of a config, without pretrained weights, on `device` ("meta" or "cpu")."""
    drop_weights(config["model"])
    if "data_preprocessor" in config:  # a runner gives it to the model
        config["model"].setdefault("data_preprocessor", config["data_preprocessor"])
    scope = config.get("default_scope") or "mmengine"
    with torch.device(device), DefaultScope.overwrite_default_scope(scope):
        return MODELS.build(config["model"])


def what_is_stepped(config: Config) -> list[Any]:
    """All of a config that `step` goes by; uses the config up."""
    drop_weights(config["model"])
    _shrink(config["model"], SIDES[0])
    rescaled = [node for node in nodes_of(config) if node.get("type") == "SegRescale"]
    keys = ("default_scope", "model", "data_preprocessor", "optim_wrapper")
    return [*(config.get(key) for key in keys), *rescaled, loads_masks(config)]


def step(config: Config, side: int) -> None:
    """Build the model, train one step and predict, with images of `side` pixels.

    Raises whatever the model raises, and StepError if the loss is not finite or the number of
    results is wrong.
    """
    torch.manual_seed(0)
    _shrink(config["model"], side)
    model = build_model(config, "cpu")
    with DefaultScope.overwrite_default_scope(config["default_scope"]):
        model.init_weights()
        _train_step(model, config, side)
        _predict(model, config, side)


def _train_step(model: nn.Module, config: Config, side: int) -> None:
    for name, value in _WHAT_A_RUNNER_TELLS.items():
        MessageHub.get_current_instance().update_info(name, value)
    model.train()
    optimizer = _optimizer(model, config)
    try:
        logged = model.train_step(_batch(config, side, training=True), optimizer)
    except NotImplementedError as error:
        if "train `detector` and `reid`" in str(error):  # SORT and DeepSORT only combine models
            return
        raise
    loss = logged["loss"].item()
    if not math.isfinite(loss):
        raise StepError(f"the loss is {loss}")


def _optimizer(model: nn.Module, config: Config) -> OptimWrapper:
    """The config's own, in float32 and with steps so small that no random network explodes."""
    node = dict(config.get("optim_wrapper") or dict(optimizer=dict(type="SGD", lr=1.0)))
    if "Amp" in str(node.get("type")):
        node = {key: node[key] for key in node if key not in ("loss_scale", "dtype")}
    optimizer = build_optim_wrapper(model, dict(node, type="OptimWrapper"))
    for group in optimizer.param_groups:
        group["lr"] = 1e-6
    return optimizer


@torch.no_grad()
def _predict(model: nn.Module, config: Config, side: int) -> None:
    model.eval()
    batch = _batch(config, side, training=False)
    results = model.test_step(batch)
    if len(results) != len(batch["inputs"]):
        raise StepError(f"{len(results)} results for {len(batch['inputs'])} samples")


def _batch(config: Config, side: int, *, training: bool) -> dict[str, Any]:
    if config["default_scope"] == "mmpretrain":
        return classification_batch(side)
    if config["default_scope"] == "mmseg":
        return segmentation_batch(config, side, training=training)
    return detection_batch(config, side, training=training)


def _shrink(model: Mapping[str, Any], side: int) -> None:
    """Keep images, and the boxes to train on, few and small, in place.

    A config fixes the size of images where it pads them to a size of its own, or builds a
    transformer for one size only.
    """
    for part in ("data_preprocessor", "backbone"):
        for node in nodes_of(model.get(part) or {}):
            for key in ("size", "test_size", "img_size"):
                if isinstance(node.get(key), list | tuple):
                    node[key] = (side, side)
    for node in nodes_of(model):
        if str(node.get("type")).endswith("Sampler") and "num" in node:
            node["num"] = min(node["num"], _SAMPLED_BOXES)
        for key in ("rpn", "rpn_proposal", "rcnn"):
            if isinstance(node.get(key), Mapping) and "max_per_img" in node[key]:
                node[key]["max_per_img"] = min(node[key]["max_per_img"], _KEPT)
