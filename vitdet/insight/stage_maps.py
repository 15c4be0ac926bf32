"""The feature maps inside a backbone, whatever of them it returns."""

from functools import partial
from typing import Any, NamedTuple

from torch import Tensor, nn

from vitdet.backbones.backbone import Backbone
from vitdet.backbones.vit import evenly_spaced
from vitdet.errors import UserError
from vitdet.insight.attention_capture import MapOfTokens


class StageMap(NamedTuple):
    """A map of features.

    Attributes:
        name: of the block it comes from, or its place among the backbone's maps.
        features: (B, C, H, W).
        stride: pixels of the input along either side of a place.
    """

    name: str
    features: Tensor
    stride: float


def stage_maps(backbone: nn.Module, images: Tensor) -> list[StageMap]:
    """Run a backbone on images: (B, 3, H, W) and return the map of each of its stages.

    That is the output of a stage's last block, before any norm, or of four evenly spaced blocks of
    a plain transformer; of backbones that are not made of blocks, the maps that they return.

    Raises UserError if there are none.
    """
    blocks = _last_blocks(backbone)
    if blocks:
        return _maps_of_blocks(backbone, blocks, images)
    maps = backbone(images)
    if not isinstance(maps, tuple | list) or not maps:
        raise UserError(f"{type(backbone).__name__} gives no maps; set its out_indices")
    return [StageMap(f"map {i}", one, images.shape[2] / one.shape[2]) for i, one in enumerate(maps)]


def _last_blocks(backbone: nn.Module) -> dict[str, nn.Module]:
    """By name, the last block of each stage, or four of a transformer without stages."""
    if not isinstance(backbone, Backbone):
        return {}
    lists = {
        name: module
        for name, module in backbone.named_modules()
        if name.rpartition(".")[2] == "blocks" and isinstance(module, nn.ModuleList)
    }
    if set(lists) == {"blocks"}:
        blocks = lists["blocks"]
        places = sorted(set(evenly_spaced(len(blocks), 4)))
        return {f"blocks.{i}": blocks[i] for i in places}
    return {f"{name}.{len(blocks) - 1}": blocks[-1] for name, blocks in lists.items()}


def _maps_of_blocks(
    backbone: Backbone, blocks: dict[str, nn.Module], images: Tensor
) -> list[StageMap]:
    found: list[StageMap] = []
    map_of = MapOfTokens(backbone)

    def take(name: str, module: nn.Module, args: tuple, output: Any) -> None:
        tokens = output[-1] if isinstance(output, tuple) else output  # TNT: inner and outer ones
        grid = map_of.grid
        if tokens.ndim == 3:
            tokens = tokens[:, -grid.num_places :].unflatten(1, (grid.height, grid.width))
        found.append(StageMap(name, tokens.permute(0, 3, 1, 2), grid.stride))

    hooks = [block.register_forward_hook(partial(take, name)) for name, block in blocks.items()]
    try:
        backbone.forward_tokens(images)
    finally:
        for hook in (*hooks, *map_of.hooks):
            hook.remove()
    return found
