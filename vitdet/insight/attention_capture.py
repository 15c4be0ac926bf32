"""Attention weights of a model's layers, taken while it runs.

Layers compute no weights unless they are asked: while a capture is on, a hook before each of them
computes the weights from the layer's own input, by its `weights`. Without one nothing of this runs.
"""

import inspect
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from vitdet.backbones.backbone import Backbone
from vitdet.backbones.tnt import PixelEmbed, TNTBlock
from vitdet.insight.layer_attention import LayerAttention
from vitdet.insight.token_layout import (
    Grid,
    focal_layout,
    global_layout,
    reduced_layout,
    window_layout,
)
from vitdet.layers import (
    CosineWindowAttention,
    MapAttention,
    OverlappingPatchEmbed,
    PatchEmbed,
    PatchMerging,
    SelfAttention,
    SpatialReductionAttention,
    WindowAttention,
)
from vitdet.layers.focal_attention import FocalAttention

ATTENTIONS = (
    SelfAttention,
    MapAttention,
    WindowAttention,
    CosineWindowAttention,
    SpatialReductionAttention,
    FocalAttention,
)
_EMBEDDINGS = (PatchEmbed, OverlappingPatchEmbed, PixelEmbed, PatchMerging)


def attention_layers(model: nn.Module) -> dict[str, nn.Module]:
    """The attention layers of a model's backbones by the names of their blocks, as they run."""
    return {
        name.removesuffix(".attn"): module
        for prefix, backbone in backbones_of(model).items()
        for name, module in backbone.named_modules(prefix=prefix)
        if isinstance(module, ATTENTIONS)
    }


def backbones_of(model: nn.Module) -> dict[str, Backbone]:
    """Backbones of ours in a model by name; the model itself has the name ""."""
    return {name: one for name, one in model.named_modules() if isinstance(one, Backbone)}


@contextmanager
def capture_attention(
    model: nn.Module,
    names: Collection[str] | None = None,
    *,
    keep: Callable[[LayerAttention], Any] = lambda layer: layer,
) -> Iterator[dict[str, Any]]:
    """Collect the attention of layers of the backbones in `model` while it runs.

    Args:
        model: a model with backbones of ours, or one of these.
        names: layers, as `attention_layers` names them; by default all.
        keep: what of a layer's attention is kept; by default all of it.

    Yields a dict that receives what is kept by name, of the last run, in running order.
    """
    kept: dict[str, Any] = {}
    hooks = []

    def take(map_of: "MapOfTokens", name: str, module: nn.Module, args: Any, kwargs: Any) -> None:
        kept.pop(name, None)  # of an earlier run
        with torch.no_grad():
            kept[name] = keep(map_of.attention(name, module, args, kwargs))

    try:
        for prefix, backbone in backbones_of(model).items():
            map_of = MapOfTokens(backbone)
            hooks += map_of.hooks
            for name, module in attention_layers(backbone).items():
                name = f"{prefix}.{name}".strip(".")
                if names is None or name in names:
                    hook = partial(take, map_of, name)
                    hooks.append(module.register_forward_pre_hook(hook, with_kwargs=True))
        yield kept
    finally:
        for hook in hooks:
            hook.remove()


class MapOfTokens:
    """Follows the map of tokens through a running backbone, from one embedding to the next.

    Attributes:
        grid: the present map, without what stands before it.
        hooks: to be removed when nothing is followed any more.
    """

    def __init__(self, backbone: Backbone) -> None:
        self.num_class_tokens = backbone.num_class_tokens
        blocks = [block for block in backbone.modules() if isinstance(block, TNTBlock)]
        self.inner_layers = [block.inner.attn for block in blocks]
        self.grid: Grid | None = None
        self.inner_grid: Grid | None = None  # of TNT's tokens within patches
        self.hooks = [
            module.register_forward_hook(self._follow)
            for module in backbone.modules()
            if isinstance(module, _EMBEDDINGS)
        ]

    def _follow(self, module: nn.Module, args: tuple, output: Any) -> None:
        """Note the map that an embedding or merging of patches has made."""
        if isinstance(module, PixelEmbed):
            rows, columns = output[1]
            side = round(module.num_pixels**0.5)
            self.grid = Grid(rows, columns, module.patch_size)
            self.inner_grid = Grid(rows * side, columns * side, module.patch_size // side)
            return
        height, width = output.shape[1:3]
        if isinstance(module, PatchMerging):
            stride = 2 * self.grid.stride
        else:
            takes_image = module.proj.in_channels == 3
            stride = module.proj.stride[0] * (1 if takes_image else self.grid.stride)
        self.grid = Grid(height, width, stride)

    def attention(self, name: str, module: nn.Module, args: tuple, kwargs: dict) -> LayerAttention:
        """What an attention layer is about to do with its input."""
        given = inspect.signature(module.forward).bind(*args, **kwargs).arguments
        weights, grid = module.weights(*args, **kwargs), self.grid
        x = given["x"]
        height, width = x.shape[1:3] if x.ndim == 4 else (grid.height, grid.width)
        if any(module is one for one in self.inner_layers):
            weights = weights.unflatten(0, (-1, grid.num_places))
            side, grid = self.inner_grid.height // grid.height, self.inner_grid
            layout = partial(window_layout, grid.height, grid.width, side)
        elif isinstance(module, WindowAttention | CosineWindowAttention):
            window_size = given.get("window_size") or module.window_size
            shift = 0 if given.get("mask") is None else module.shift
            layout = partial(window_layout, height, width, window_size, shift)
        elif isinstance(module, FocalAttention):
            grid = grid._replace(height=height, width=width)  # x is padded already
            layout = partial(focal_layout, module, given["keys"].index, height, width)
        elif isinstance(module, MapAttention) and module.window_size:
            layout = partial(window_layout, height, width, module.window_size)
        elif isinstance(module, MapAttention):
            layout = partial(global_layout, height * width)
        elif x.ndim == 4:
            weights = weights[:, None]  # one window
            layout = partial(reduced_layout, module, height, width)
        else:
            weights = weights[:, None]
            has_others = x.shape[1] != grid.num_places
            grid = grid._replace(first=self.num_class_tokens if has_others else 0)
            layout = partial(global_layout, x.shape[1], given.get("num_queries"))
        return LayerAttention(name, weights, grid, layout)
