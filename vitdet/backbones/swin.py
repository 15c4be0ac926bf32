"""Swin Transformer (Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted
Windows", ICCV 2021, arXiv:2103.14030).

Maps stay channels-last, (B, H, W, C), from the first layer to the last.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
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
from vitdet.layers import (
    DropPath,
    FeedForward,
    PatchEmbed,
    PatchMerging,
    WindowAttention,
    linear_drop_path_rates,
)
from vitdet.layers.position_embedding import resize_position_embedding
from vitdet.layers.windows import shift_mask, shift_mask_patterns
from vitdet.registry import MODELS


class SwinArch(NamedTuple):
    """A published size."""

    embed_dims: int
    depths: tuple[int, ...]
    num_heads: tuple[int, ...]


ARCHS = {
    "tiny": SwinArch(96, (2, 2, 6, 2), (3, 6, 12, 24)),
    "small": SwinArch(96, (2, 2, 18, 2), (3, 6, 12, 24)),
    "base": SwinArch(128, (2, 2, 18, 2), (4, 8, 16, 32)),
    "large": SwinArch(192, (2, 2, 18, 2), (6, 12, 24, 48)),
}


@MODELS.register_module()
class SwinTransformer(Backbone):
    """Feature maps of a hierarchical transformer with shifted windows.

    Args:
        arch: published size, "tiny", "small", "base" or "large"; gives the next three arguments
            their values where they are None.
        patch_size: side of a patch in pixels.
        embed_dims: channels of the first stage; each later stage doubles them.
        depths: blocks per stage.
        num_heads: heads per stage.
        window_size: side of a window in tokens.
        mlp_ratio: hidden channels of the feed-forward network per channel.
        qkv_bias: whether queries, keys and values have a bias.
        drop_path_rate: rate of stochastic depth in the last block; it rises linearly from 0.
        out_indices: stages to return, each through a norm of its own.
        frozen_stages: -1 trains everything, 0 freezes the patch embedding, k also the first k
            stages and their output norms.
        with_checkpoint: recompute each block in the backward pass to save memory.
        patch_norm: whether tokens are normalized after the patch embedding.
        use_abs_pos_embed: whether a learned position embedding is added to the tokens; it is
            resized (bicubic) to the map.
        pretrain_img_size: side in pixels of the images the position embedding was made for.
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
        window_size: int = 7,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        drop_path_rate: float = 0.2,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        frozen_stages: int = -1,
        with_checkpoint: bool = False,
        patch_norm: bool = True,
        use_abs_pos_embed: bool = False,
        pretrain_img_size: int = 224,
        final_norm: bool = False,
        init_cfg: InitConfig = None,
    ) -> None:
        super().__init__(init_cfg)
        size = published_size(ARCHS, arch, "SwinTransformer")
        embed_dims = embed_dims or size.embed_dims
        depths = depths or size.depths
        num_heads = num_heads or size.num_heads
        if len(depths) != len(num_heads):
            raise UserError(
                f"SwinTransformer: {len(depths)} depths but {len(num_heads)} num_heads; "
                "give one of each per stage"
            )
        dims = [embed_dims * 2**stage for stage in range(len(depths))]
        self.out_indices = check_out_indices(out_indices, len(depths), "SwinTransformer")
        self.out_channels = tuple(dims[index] for index in self.out_indices)
        self.strides = tuple(patch_size * 2**index for index in self.out_indices)
        self.num_features = dims[-1]
        self.frozen_stages = frozen_stages

        self.patch_embed = PatchEmbed(patch_size, embed_dims, has_norm=patch_norm)
        self.absolute_pos_embed = None
        if use_abs_pos_embed:
            side = pretrain_img_size // patch_size
            self.absolute_pos_embed = nn.Parameter(torch.empty(1, embed_dims, side, side))
            nn.init.trunc_normal_(self.absolute_pos_embed, std=0.02)

        rates = iter(linear_drop_path_rates(drop_path_rate, sum(depths)))
        self.stages = nn.ModuleList(
            SwinStage(
                dim,
                heads,
                window_size=window_size,
                mlp_ratio=mlp_ratio,
                qkv_bias=qkv_bias,
                drop_path_rates=[next(rates) for _ in range(depth)],
                has_downsample=dim != dims[-1],
                with_checkpoint=with_checkpoint,
            )
            for dim, depth, heads in zip(dims, depths, num_heads, strict=True)
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
        return maps_of_stages(self._embed(images), self.stages, self.norms)

    def forward_tokens(self, images: Tensor) -> Tensor:
        x = self._embed(images)
        for stage in self.stages:
            before_downsample, x = stage(x, fits_windows=True)
        return self.norm(before_downsample).flatten(1, 2)

    def _embed(self, images: Tensor) -> Tensor:
        """Map images: (B, 3, H, W) to the first stage's tokens, (B, H / patch, W / patch, C)."""
        x = self.patch_embed(images)
        if self.absolute_pos_embed is not None:
            embedding = resize_position_embedding(self.absolute_pos_embed, x.shape[1:3])
            x = x + embedding.permute(0, 2, 3, 1).to(x.dtype)
        return x

    def freeze(self) -> None:
        if self.frozen_stages >= 0 and self.absolute_pos_embed is not None:
            self.absolute_pos_embed.requires_grad_(False)
        freeze_stages(self.patch_embed, self.stages, self.norms, self.frozen_stages)


class SwinStage(nn.Module):
    """Blocks of one resolution, every second one shifted by half a window, then patch merging."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        *,
        window_size: int,
        mlp_ratio: float,
        qkv_bias: bool,
        drop_path_rates: Sequence[float],
        has_downsample: bool,
        with_checkpoint: bool,
    ) -> None:
        super().__init__()
        shift = window_size // 2
        self.window_size = window_size
        self.with_checkpoint = with_checkpoint
        self.blocks = nn.ModuleList(
            SwinBlock(
                dim,
                num_heads,
                window_size=window_size,
                shift=shift * (index % 2),
                mlp_ratio=mlp_ratio,
                qkv_bias=qkv_bias,
                drop_path_rate=rate,
            )
            for index, rate in enumerate(drop_path_rates)
        )
        self.downsample = PatchMerging(dim) if has_downsample else nn.Identity()
        self.register_buffer(
            "mask_patterns", shift_mask_patterns(window_size, shift), persistent=False
        )

    def forward(self, x: Tensor, *, fits_windows: bool = False) -> tuple[Tensor, Tensor]:
        """Compute the stage's map and what the next one starts from.

        Args:
            x: (B, H, W, C).
            fits_windows: on a map not larger than a window, shrink windows to its shorter side and
                shift none, as published classifiers do. Detectors pad and shift any map instead.

        Returns:
            (B, H, W, C) and (B, H / 2, W / 2, 2C).
        """
        window_size, mask = self.window_size, None
        if fits_windows and min(x.shape[1:3]) <= window_size:
            window_size = min(x.shape[1:3])
        else:
            rows, columns = (-(-side // window_size) for side in x.shape[1:3])
            # Laid out once per stage and forward, for all blocks and images.
            mask = shift_mask(self.mask_patterns.to(x.dtype), rows, columns)
        for block in self.blocks:
            x = run_block(block, x, mask, window_size, with_checkpoint=self.with_checkpoint)
        return x, self.downsample(x)


class SwinBlock(nn.Module):
    """Window attention and a feed-forward network, each normalized before and added after."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        *,
        window_size: int,
        shift: int,
        mlp_ratio: float,
        qkv_bias: bool,
        drop_path_rate: float,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = WindowAttention(
            dim, num_heads, window_size=window_size, shift=shift, qkv_bias=qkv_bias
        )
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = FeedForward(dim, int(dim * mlp_ratio))
        self.drop_path = DropPath(drop_path_rate)

    def forward(self, x: Tensor, shift_mask: Tensor | None, window_size: int) -> Tensor:
        """Map x: (B, H, W, C) to the same shape; shift_mask: (num_windows, N, N) or none."""
        mask = shift_mask if self.attn.shift else None
        x = x + self.drop_path(self.attn(self.norm1(x), mask, window_size=window_size))
        return x + self.drop_path(self.mlp(self.norm2(x)))
