"""What all backbones share: their contract, initialization through mmengine, and checks."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeVar

import torch
from mmengine.model import BaseModule, PretrainedInit
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vitdet.errors import UserError
from vitdet.layers.feature_map import as_feature_map

Size = TypeVar("Size")
InitConfig = dict[str, Any] | list[dict[str, Any]] | None


class Backbone(BaseModule):
    """A feature extractor whose `init_cfg` loads any published layout of its family.

    `init_cfg=dict(type="Pretrained", checkpoint=..., prefix=...)` is handed to
    `vitdet.checkpoints.load_checkpoint` in place of mmengine's loader, which drops keys it does not
    know without a word. The loader is named through the registry and not imported, because
    `checkpoints` stands above this package and knows every backbone's layouts.

    `forward(images: (B, 3, H, W))` returns a tuple of maps (B, C_l, ceil(H / stride_l),
    ceil(W / stride_l)) for any H and W.

    Attributes:
        out_indices: places of the returned maps, of stages or blocks, counted from 0.
        out_channels: channels of each returned map.
        strides: pixels per token of each returned map.
        num_features: channels of the last block's tokens.
        num_class_tokens: how many of those tokens, the first ones, stand for the whole image; where
            there are none, a classifier averages over all.
    """

    out_indices: tuple[int, ...]
    out_channels: tuple[int, ...]
    strides: tuple[int, ...]
    num_features: int
    num_class_tokens: int = 0

    def __init__(self, init_cfg: InitConfig = None) -> None:
        configs = init_cfg if isinstance(init_cfg, list) else [init_cfg] if init_cfg else []
        super().__init__([with_our_loader(config) for config in configs] or None)

    def init_weights(self) -> None:
        """Initialize at random as published, then as `init_cfg` says."""
        if not self.is_init:
            self.apply(self.init_module)
        super().init_weights()

    def init_module(self, module: nn.Module) -> None:
        """Initialize one module as published, without those inside it."""
        init_transformer_weights(module)

    def forward_tokens(self, images: Tensor) -> Tensor:
        """Compute what a classifier reads.

        Args:
            images: (B, 3, H, W), any size.

        Returns:
            (B, N, num_features): all tokens after the last block, and after the final norm if the
            backbone was built with `final_norm=True`; class tokens come first.
        """
        raise NotImplementedError

    def heights_of_parameters(self) -> dict[str, int]:
        """Tell how far below the heads each parameter stands, for learning rates by depth.

        Blocks are the entries of module lists named `blocks`, in the order they are registered in,
        which is the order they run in.

        Returns:
            name -> 0 after the last block, 1 in the last, and so on; what stands between two blocks
            counts as the lower one, and what stands before the first is one above all blocks;
            empty where there are no such blocks.
        """
        blocks = [
            f"{name}.{index}"
            for name, module in self.named_modules()
            if name.rpartition(".")[2] == "blocks" and isinstance(module, nn.ModuleList)
            for index in range(len(module))
        ]
        if not blocks:
            return {}
        heights, height, last = {}, len(blocks) + 1, f"{blocks[-1]}."
        for name, module in self.named_modules():
            height -= name in blocks
            is_behind = height == 1 and not f"{name}.".startswith(last)
            for parameter, _ in module.named_parameters(prefix=name, recurse=False):
                heights[parameter] = height - is_behind
        return heights

    def freeze(self) -> None:
        """Take gradients from the frozen parts and set them to evaluation mode, if any."""

    def train(self, mode: bool = True) -> Self:
        """Set the mode of all modules but the frozen ones."""
        super().train(mode)
        self.freeze()
        return self


def with_our_loader(config: dict[str, Any]) -> dict[str, Any]:
    """Return an entry of `init_cfg` with mmengine's loader of checkpoints exchanged for ours."""
    if config["type"] in ("Pretrained", PretrainedInit):
        return {**config, "type": "vitdet.Pretrained"}
    return config


def published_size(sizes: Mapping[str, Size], arch: str, owner: str) -> Size:
    """Look up what `arch` stands for.

    Raises:
        UserError: there is no such size; the nearest names are offered.
    """
    if arch in sizes:
        return sizes[arch]
    near = difflib.get_close_matches(str(arch), sizes)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise UserError(f"{owner}: arch {arch!r} is none of {', '.join(sizes)}{hint}")


def check_out_indices(
    out_indices: Sequence[int], count: int, owner: str, *, what: str = "stages"
) -> tuple[int, ...]:
    """Return `out_indices` sorted.

    Raises:
        UserError: one of them counts no stage (or block, as `what` says) that exists.
    """
    if not all(0 <= index < count for index in out_indices):
        raise UserError(
            f"{owner}: out_indices {tuple(out_indices)} name {what} that do not exist; "
            f"there are {count}, counted from 0"
        )
    return tuple(sorted(out_indices))


def run_block(block: nn.Module, *inputs: Any, with_checkpoint: bool) -> Any:
    """Call a block, with `with_checkpoint` keeping only its inputs for the backward pass."""
    if with_checkpoint and torch.is_grad_enabled():
        return checkpoint(block, *inputs, use_reentrant=False)
    return block(*inputs)


def maps_of_stages(x: Tensor, stages: nn.ModuleList, norms: nn.ModuleDict) -> tuple[Tensor, ...]:
    """Run stages one after the other and return the normed maps of those that have a norm.

    Args:
        x: (B, H, W, C), what the first stage takes.
        stages: each returns its map and, downsampled, the next one's input, both channels-last.
        norms: by the number of the stage.

    Returns:
        (B, C_l, H_l, W_l) each.
    """
    maps = []
    for index, stage in enumerate(stages):
        before_downsample, x = stage(x)
        if str(index) in norms:
            maps.append(as_feature_map(norms[str(index)](before_downsample)))
    return tuple(maps)


def freeze_stages(
    embedding: nn.Module, stages: nn.ModuleList, norms: nn.ModuleDict, count: int
) -> None:
    """Freeze the embedding, the first `count` stages and their norms; nothing if it is negative."""
    if count < 0:
        return
    frozen_norms = [norms[index] for index in norms if int(index) < count]
    for module in (embedding, *stages[:count], *frozen_norms):
        module.eval().requires_grad_(False)


def init_transformer_weights(module: nn.Module) -> None:
    """Truncated normal of deviation 0.02 for linear layers, ones and zeros for norms."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.LayerNorm):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
