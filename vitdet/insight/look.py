"""Run a model on one image and keep what its layers attend to."""

from collections.abc import Collection, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from vitdet.backbones.vit import evenly_spaced
from vitdet.classification import ImageClassifier
from vitdet.detectors.detr import DETR, Decoded
from vitdet.detectors.set_predictor import SetPredictor
from vitdet.errors import UserError
from vitdet.insight.attention_capture import attention_layers, capture_attention
from vitdet.insight.hidden_states import HiddenStates, capture_hidden_states, lstm_blocks
from vitdet.insight.layer_attention import LayerAttention
from vitdet.insight.model_view import View
from vitdet.insight.token_layout import Grid, global_layout, query_layout
from vitdet.set_prediction.postprocess import detections

Layer = LayerAttention | HiddenStates


class SeenObject(NamedTuple):
    """An object that a set predictor found, and who found it.

    Attributes:
        query: which query, or detection token.
        label: place in the class names.
        score: 0 to 1.
        box: (4,) xyxy as shares of the image.
    """

    query: int
    label: int
    score: float
    box: np.ndarray


class Look(NamedTuple):
    """What was kept of a run.

    Attributes:
        layers: by name, in running order.
        objects: best first; of models that predict sets.
    """

    layers: dict[str, Layer]
    objects: list[SeenObject]

    def of_object(self, name: str, found: SeenObject) -> torch.Tensor | None:
        """What an object takes of the map in a layer, (num_heads, H, W); None where none asks."""
        layer = self.layers[name]
        if name.startswith("decoder."):
            return layer.of_token(found.query)
        if isinstance(layer, LayerAttention) and layer.num_behind:
            return layer.of_token(object_token(layer, found))
        return None


def object_token(layer: LayerAttention, found: SeenObject) -> int:
    """The number of YOLOS' detection token that found an object: they stand behind the map."""
    return layer.grid.first + layer.grid.num_places + found.query


def layer_names(model: nn.Module) -> list[str]:
    """All layers of a model that can be looked at, in running order.

    Raises UserError if there are none.
    """
    names = [*attention_layers(model), *lstm_blocks(model)]
    if isinstance(model, DETR):
        transformer = model.transformer
        names += [f"encoder.{i}" for i in range(len(transformer.encoder.layers))]
        names += [f"decoder.{i}" for i in range(len(transformer.decoder.layers))]
    if not names:
        raise UserError(
            f"{type(model).__name__} has no attention of vitdet's; its backbone is "
            f"{type(getattr(model, 'backbone', model)).__name__}"
        )
    return names


def choose_layers(model: nn.Module, wanted: Sequence[str] = ()) -> list[str]:
    """The layers that are meant.

    Args:
        model: a model.
        wanted: names, their endings, or numbers among `layer_names`, -1 for the last; or "all". By
            default the last layers of DETR's encoder and decoder, of each stage of a pyramid, or
            four evenly spaced ones of a plain transformer.

    Raises UserError if there is no such layer, or if several have that ending.
    """
    names = layer_names(model)
    if not wanted:
        return _default_layers(names)
    if "all" in wanted:
        return names
    chosen = [_one_layer(names, one) for one in wanted]
    return [name for name in names if name in chosen]


def _one_layer(names: Sequence[str], wanted: str) -> str:
    if wanted.lstrip("-").isdigit() and -len(names) <= int(wanted) < len(names):
        return names[int(wanted)]
    found = [name for name in names if name == wanted or name.endswith(f".{wanted}")]
    if len(found) != 1:
        what = f"is one of {', '.join(found)}" if found else "is no layer"
        raise UserError(
            f"--layer {wanted}: {what}; there are {len(names)}, from {names[0]} (0) to "
            f"{names[-1]} ({len(names) - 1}), or 'all'"
        )
    return found[0]


def _default_layers(names: Sequence[str]) -> list[str]:
    of_transformer = [name for name in names if name.startswith(("encoder.", "decoder."))]
    if of_transformer:
        last = {name.partition(".")[0]: name for name in of_transformer}
        return list(last.values())
    names = [name for name in names if not name.endswith(".inner")]
    last = {name.rpartition(".blocks.")[0]: name for name in names}
    if len(last) > 1:
        return list(last.values())
    return [names[i] for i in sorted(set(evenly_spaced(len(names), 4)))]


@torch.no_grad()
def look(
    model: nn.Module, view: View, names: Collection[str], *, averaged: Collection[str] = ()
) -> Look:
    """Run a model on an image and keep the attention of some layers.

    Args:
        model: a model of a checkpoint.
        view: the image.
        names: layers, as `layer_names` has them.
        averaged: layers of backbones of which only the mean of all heads is kept.
    """

    def keep(layer: LayerAttention) -> LayerAttention:
        return layer if layer.name in names else layer.mean_of_heads()

    with ExitStack() as stack:
        layers = stack.enter_context(capture_attention(model, {*names, *averaged}, keep=keep))
        states = stack.enter_context(capture_hidden_states(model, names))
        decoded = _run(model, view, names)
    found: dict[str, Layer] = {**layers, **states}
    if isinstance(model, DETR):
        found |= _of_transformer(model, decoded, names)
    return Look(found, [] if decoded is None else _objects(decoded))


def _run(model: nn.Module, view: View, names: Collection[str]) -> Any:
    """Run what a test runs, as far as attention goes; what set predictors say is returned."""
    if isinstance(model, DETR):
        wants = any(name.startswith(("encoder.", "decoder.")) for name in names)
        return model.decode(view.inputs, view.samples, return_attention=wants)
    if isinstance(model, SetPredictor):
        return model.decode(view.inputs, view.samples)
    if isinstance(model, ImageClassifier):
        model(view.inputs, mode="tensor")
    else:
        model.extract_feat(view.inputs)
    return None


def _of_transformer(model: DETR, decoded: Decoded, names: Collection[str]) -> dict[str, Layer]:
    """Attention of DETR's encoder, and of its decoder to the encoded map."""
    if decoded.attention is None:
        return {}
    height, width = decoded.memory.shape[2:]
    grid = Grid(height, width, model.backbone.strides[-1])
    number, num_queries = grid.num_places, model.query_embed.num_embeddings
    kinds = {
        "encoder": (decoded.attention["encoder"], partial(global_layout, number)),
        "decoder": (decoded.attention["memory"], partial(query_layout, num_queries, number)),
    }
    return {
        f"{kind}.{i}": LayerAttention(f"{kind}.{i}", weights[:, None], grid, layout)
        for kind, (layers, layout) in kinds.items()
        for i, weights in enumerate(layers)
        if f"{kind}.{i}" in names
    }


def _objects(decoded: Any) -> list[SeenObject]:
    """What the last layer found in the only image."""
    (found,) = detections(decoded.logits[-1], decoded.boxes[-1], [(1, 1)])
    return [
        SeenObject(query, label, score, box)
        for query, score, label, box in zip(
            found.queries.tolist(),
            found.scores.tolist(),
            found.labels.tolist(),
            found.boxes.cpu().numpy(),
            strict=True,
        )
    ]
