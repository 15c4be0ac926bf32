"""Focal Transformer (Yang et al., "Focal Self-attention for Local-Global Interactions in Vision
Transformers", NeurIPS 2021, arXiv:2107.00641).

Maps stay channels-last, (B, H, W, C), from the first layer to the last.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitdet.backbones.backbone import (
    Backbone,
    InitConfig,
    check_out_indices,
    freeze_stages,
    maps_of_stages,
    published_size,
    run_block,
)
from vitdet.errors import UserError
from vitdet.layers import DropPath, FeedForward, PatchEmbed, linear_drop_path_rates
from vitdet.layers.focal_attention import FocalAttention, Keys
from vitdet.layers.focal_windows import FocalLevel
from vitdet.registry import MODELS


class FocalArch(NamedTuple):
    """A published size."""

    embed_dims: int
    depths: tuple[int, ...]
    num_heads: tuple[int, ...]


ARCHS = {
    "tiny": FocalArch(96, (2, 2, 6, 2), (3, 6, 12, 24)),
    "small": FocalArch(96, (2, 2, 18, 2), (3, 6, 12, 24)),
    "base": FocalArch(128, (2, 2, 18, 2), (4, 8, 16, 32)),
}


@MODELS.register_module()
class FocalTransformer(Backbone):
    """Feature maps of a hierarchical transformer whose windows see their surroundings, too.

    Each token attends to its window, to the tokens around it one by one, and to pooled tokens
    farther away. As in the published code the map continues cyclically around windows at its
    border, pooled tokens outside it are masked, and padding inside it is not.

    Args:
        arch: published size, "tiny", "small" or "base"; gives the next three arguments their
            values where they are None.
        patch_size: side of a patch in pixels.
        embed_dims: channels of the first stage; each later stage doubles them.
        depths: blocks per stage.
        num_heads: heads per stage.
        window_size: side of a window in tokens; one for all stages, or one for each.
        focal_levels: levels of detail, 1 for the tokens alone, each further one twice as finely
            pooled as the one before, which has one token per window; for all stages or each.
        focal_windows: tokens seen at each pooled level along one axis, odd: those of the window
            and as many on either side; for all stages or each.
        expand_sizes: how far around a window tokens are seen one by one; for all stages or each.
        pretrain_img_size: pixels (one, or height and width) of the images the model is first made
            for. In a stage whose map is then no larger than a window, the map is the window, and
            nothing around it is seen: at 224 pixels in the last stage, so that there are no biases
            for it in the published files. None keeps all stages as the other arguments say.
        use_conv_embed: whether patches overlap: kernels of 7 for images and 3 between stages.
        mlp_ratio: hidden channels of the feed-forward network per channel.
        qkv_bias: whether queries, keys and values have a bias.
        drop_path_rate: rate of stochastic depth in the last block; it rises linearly from 0.
        out_indices: stages to return, each through a norm of its own.
        frozen_stages: -1 trains everything, 0 freezes the patch embedding, k also the first k
            stages and their output norms.
        with_checkpoint: recompute each block in the backward pass to save memory.
        drops_remainder: whether what does not fill a patch is dropped, as in the published
            classification code, and not zero-padded; sides of maps are then rounded down.
        final_norm: whether `forward_tokens` ends in a norm, as classifiers do.
        init_cfg: mmengine's; `dict(type="Pretrained", checkpoint=...)` takes any published layout.

    Attributes:
        out_channels: channels of each returned map.
        strides: pixels per token of each returned map.
    """

    def __init__(
        self,
        arch: str = "tiny",
        *,
        patch_size: int = 4,
        embed_dims: int | None = None,
        depths: Sequence[int] | None = None,
        num_heads: Sequence[int] | None = None,
        window_size: int | Sequence[int] = 7,
        focal_levels: int | Sequence[int] = 2,
        focal_windows: int | Sequence[int] = (7, 5, 3, 1),
        expand_sizes: int | Sequence[int] = 3,
        pretrain_img_size: int | Sequence[int] | None = 224,
        use_conv_embed: bool = False,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        drop_path_rate: float = 0.2,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        frozen_stages: int = -1,
        with_checkpoint: bool = False,
        drops_remainder: bool = False,
        final_norm: bool = False,
        init_cfg: InitConfig = None,
    ) -> None:
        super().__init__(init_cfg)
        size = published_size(ARCHS, arch, "FocalTransformer")
        embed_dims = embed_dims or size.embed_dims
        depths = depths or size.depths
        num_heads = _per_stage(num_heads or size.num_heads, len(depths), "num_heads")
        windows = _windows(
            len(depths),
            first_map=_map_sides(pretrain_img_size, patch_size),
            window_size=window_size,
            focal_levels=focal_levels,
            focal_windows=focal_windows,
            expand_sizes=expand_sizes,
        )
        dims = [embed_dims * 2**stage for stage in range(len(depths))]
        self.out_indices = check_out_indices(out_indices, len(depths), "FocalTransformer")
        self.out_channels = tuple(dims[index] for index in self.out_indices)
        self.strides = tuple(patch_size * 2**index for index in self.out_indices)
        self.num_features = dims[-1]
        self.frozen_stages = frozen_stages

        self.patch_embed = PatchEmbed(
            patch_size,
            embed_dims,
            drops_remainder=drops_remainder,
            **(dict(kernel_size=7, padding=2) if use_conv_embed else {}),
        )
        rates = iter(linear_drop_path_rates(drop_path_rate, sum(depths)))
        self.stages = nn.ModuleList(
            FocalStage(
                dim,
                heads,
                window,
                mlp_ratio=mlp_ratio,
                qkv_bias=qkv_bias,
                drop_path_rates=[next(rates) for _ in range(depth)],
                with_checkpoint=with_checkpoint,
            )
            for dim, depth, heads, window in zip(dims, depths, num_heads, windows, strict=True)
        )
        for stage, dim in zip(self.stages[:-1], dims[:-1], strict=True):
            stage.downsample = PatchEmbed(
                2,
                2 * dim,
                in_channels=dim,
                drops_remainder=drops_remainder,
                **(dict(kernel_size=3, padding=1) if use_conv_embed else {}),
            )
        self.norms = nn.ModuleDict({str(i): nn.LayerNorm(dims[i]) for i in self.out_indices})
        self.norm = nn.LayerNorm(dims[-1]) if final_norm else nn.Identity()
        self.freeze()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the feature maps.

        Args:
            images: (B, 3, H, W), any size.

        Returns:
            One map (B, C_l, ceil(H / stride_l), ceil(W / stride_l)) per entry of `out_indices`.
        """
        return maps_of_stages(self.patch_embed(images), self.stages, self.norms)

    def forward_tokens(self, images: Tensor) -> Tensor:
        x = self.patch_embed(images)
        for stage in self.stages:
            before_downsample, x = stage(x)
        return self.norm(before_downsample).flatten(1, 2)

    def freeze(self) -> None:
        freeze_stages(self.patch_embed, self.stages, self.norms, self.frozen_stages)


class FocalWindow(NamedTuple):
    """What the windows of a stage see."""

    size: int
    expand_size: int
    levels: tuple[FocalLevel, ...]


def _windows(
    num_stages: int, first_map: tuple[int, int] | None, **options: int | Sequence[int]
) -> list[FocalWindow]:
    """Windows of each stage, made for a first map of so many tokens (None: for larger ones)."""
    values = (_per_stage(value, num_stages, name) for name, value in options.items())
    windows = []
    for stage, (size, num_levels, focal_window, expand_size) in enumerate(
        zip(*values, strict=True)
    ):
        side = min(first_map) // 2**stage if first_map else size + 1
        if side <= size:
            size, expand_size = max(side, 1), 0
        if expand_size > size:
            raise UserError(
                f"FocalTransformer: expand_sizes {expand_size} of stage {stage} is larger than its "
                f"window of {size}; tokens farther away than the next window are not seen"
            )
        if num_levels > 1 and (focal_window % 2 == 0 or size < 2 ** (num_levels - 2)):
            raise UserError(
                f"FocalTransformer: focal_windows {focal_window} and {num_levels} focal_levels of "
                f"stage {stage} do not go with a window of {size}; the first has to be odd, and a "
                f"window at least {2 ** (num_levels - 2)} tokens wide"
            )
        levels = tuple(
            FocalLevel(2**level, size // 2**level, focal_window // 2)
            for level in range(num_levels - 1)
        )
        windows.append(FocalWindow(size, expand_size, levels))
    return windows


def _map_sides(image_size: int | Sequence[int] | None, patch_size: int) -> tuple[int, int] | None:
    if image_size is None:
        return None
    height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
    return height // patch_size, width // patch_size


def _per_stage(value: int | Sequence[int], num_stages: int, name: str) -> tuple[int, ...]:
    values = (value,) * num_stages if isinstance(value, int) else tuple(value)
    if len(values) != num_stages:
        raise UserError(
            f"FocalTransformer: {num_stages} depths but {len(values)} {name}; give one of each per "
            "stage"
        )
    return values


class FocalStage(nn.Module):
    """Blocks of one resolution, then a patch embedding for the next stage, if there is one."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window: FocalWindow,
        *,
        mlp_ratio: float,
        qkv_bias: bool,
        drop_path_rates: Sequence[float],
        with_checkpoint: bool,
    ) -> None:
        super().__init__()
        self.with_checkpoint = with_checkpoint
        self.blocks = nn.ModuleList(
            FocalBlock(
                dim,
                num_heads,
                window,
                mlp_ratio=mlp_ratio,
                qkv_bias=qkv_bias,
                drop_path_rate=rate,
            )
            for rate in drop_path_rates
        )
        self.downsample: PatchEmbed | None = None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map x: (B, H, W, C) to the stage's (B, H, W, C) and the next one's input."""
        # Laid out once per stage and forward, for all blocks and images.
        keys = self.blocks[0].attn.keys(x.shape[1], x.shape[2])
        for block in self.blocks:
            x = run_block(block, x, keys, with_checkpoint=self.with_checkpoint)
        return x, self.downsample(x.permute(0, 3, 1, 2)) if self.downsample else x


class FocalBlock(nn.Module):
    """Focal attention and a feed-forward network, each normalized before and added after."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window: FocalWindow,
        *,
        mlp_ratio: float,
        qkv_bias: bool,
        drop_path_rate: float,
    ) -> None:
        super().__init__()
        self.levels = window.levels
        self.pool_layers = nn.ModuleList(nn.Linear(lv.pool_size**2, 1) for lv in window.levels)
        self.norm1 = nn.LayerNorm(dim)
        self.attn = FocalAttention(
            dim,
            num_heads,
            window_size=window.size,
            expand_size=window.expand_size,
            levels=window.levels,
            qkv_bias=qkv_bias,
        )
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = FeedForward(dim, int(dim * mlp_ratio))
        self.drop_path = DropPath(drop_path_rate)

    def forward(self, x: Tensor, keys: Keys) -> Tensor:
        """Map x: (B, H, W, C) to the same shape."""
        x = x + self.drop_path(self._attend(self.norm1(x), keys))
        return x + self.drop_path(self.mlp(self.norm2(x)))

    def _attend(self, x: Tensor, keys: Keys) -> Tensor:
        height, width = x.shape[1:3]
        window_size = self.attn.window_size
        pad_bottom, pad_right = -height % window_size, -width % window_size
        if pad_bottom or pad_right:
            x = F.pad(x, (0, 0, 0, pad_right, 0, pad_bottom))
        pooled = [
            pool_tokens(x, pool.weight, pool.bias, window_size, level)
            for pool, level in zip(self.pool_layers, self.levels, strict=True)
        ]
        return self.attn(x, pooled, keys)[:, :height, :width]


def pool_tokens(
    x: Tensor, weight: Tensor, bias: Tensor, window_size: int, level: FocalLevel
) -> Tensor:
    """Sum the tokens of each square weighted, all channels alike (Yang et al., eq. 1).

    Args:
        x: (B, H, W, C), H and W multiples of the window.
        weight: (1, pool_size**2) of the tokens of a square.
        bias: (1,).
        window_size: side of a window.
        level: how many squares there are. Where they do not fill the windows, they lie side by
            side in the middle of the map, as in the published code.

    Returns:
        (B, H / window_size * per_window, W / window_size * per_window, C).
    """
    side = level.pool_size
    for dim in (1, 2):
        length = x.shape[dim] // window_size * level.per_window * side
        x = x.narrow(dim, (x.shape[dim] - length) // 2, length)
    squares = x.unflatten(2, (-1, side)).unflatten(1, (-1, side))
    return torch.einsum("bricjd,ij->brcd", squares, weight.unflatten(1, (side, side))[0]) + bias
