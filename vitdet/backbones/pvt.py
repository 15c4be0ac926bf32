"""Pyramid Vision Transformer (Wang et al., "Pyramid Vision Transformer: A Versatile Backbone for
Dense Prediction without Convolutions", ICCV 2021, arXiv:2102.12122).

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
    published_size,
    run_block,
)
from vitdet.errors import UserError
from vitdet.layers import (
    DropPath,
    FeedForward,
    PatchEmbed,
    SpatialReductionAttention,
    linear_drop_path_rates,
)
from vitdet.layers.feature_map import as_feature_map
from vitdet.layers.position_embedding import resize_position_embedding
from vitdet.registry import MODELS

EPS = 1e-6  # of the norms in blocks and at the end; those after embedding and reduction have 1e-5


class PVTArch(NamedTuple):
    """A published size."""

    embed_dims: tuple[int, ...]
    depths: tuple[int, ...]
    mlp_ratios: tuple[float, ...] = (8, 8, 4, 4)
    linear_attention: bool = False


ARCHS = {
    "tiny": PVTArch((64, 128, 320, 512), (2, 2, 2, 2)),
    "small": PVTArch((64, 128, 320, 512), (3, 4, 6, 3)),
    "medium": PVTArch((64, 128, 320, 512), (3, 4, 18, 3)),
    "large": PVTArch((64, 128, 320, 512), (3, 8, 27, 3)),
}


@MODELS.register_module()
class PyramidVisionTransformer(Backbone):
    """Feature maps of a transformer whose tokens attend to spatially reduced maps.

    Unlike most backbones it drops what does not fill a patch at the bottom and right, as published:
    the sides of its maps are rounded down (to no less than 1).

    Args:
        arch: published size, "tiny", "small", "medium" or "large"; gives `embed_dims`, `depths` and
            `mlp_ratios` their values where they are None.
        patch_size: side of the first stage's patches in pixels; later stages join 2x2 tokens.
        embed_dims: channels per stage.
        depths: blocks per stage.
        num_heads: heads per stage.
        mlp_ratios: hidden channels of the feed-forward network per channel, per stage.
        sr_ratios: by how much keys and values are reduced along each axis, per stage.
        qkv_bias: whether queries, keys and values have a bias.
        drop_path_rate: rate of stochastic depth in the last block; it rises linearly from 0.
        out_indices: stages to return; their maps are not normalized.
        frozen_stages: -1 trains everything, 0 freezes the first patch and position embedding, k the
            first k stages.
        with_checkpoint: recompute each block in the backward pass to save memory.
        pretrain_img_size: side in pixels of the images the position embeddings are made for; they
            are resized (bilinear) to the map.
        final_norm: whether the last stage has a class token and `forward_tokens` ends in a norm, as
            in classifiers. `forward` then uses the class token, but neither returns nor normalizes.
        init_cfg: mmengine's; `dict(type="Pretrained", checkpoint=...)` takes any published layout.

    Attributes:
        out_channels: channels of each returned map.
        strides: pixels per token of each returned map.
        num_class_tokens: 1 with `final_norm`, else 0.
    """

    def __init__(
        self,
        arch: str = "small",
        *,
        patch_size: int = 4,
        embed_dims: Sequence[int] | None = None,
        depths: Sequence[int] | None = None,
        num_heads: Sequence[int] = (1, 2, 5, 8),
        mlp_ratios: Sequence[float] | None = None,
        sr_ratios: Sequence[int] = (8, 4, 2, 1),
        qkv_bias: bool = True,
        drop_path_rate: float = 0.1,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        frozen_stages: int = -1,
        with_checkpoint: bool = False,
        pretrain_img_size: int = 224,
        final_norm: bool = False,
        init_cfg: InitConfig = None,
    ) -> None:
        super().__init__(init_cfg)
        size = published_size(ARCHS, arch, "PyramidVisionTransformer")
        embed_dims = embed_dims or size.embed_dims
        depths = depths or size.depths
        mlp_ratios = mlp_ratios or size.mlp_ratios
        check_stages(
            "PyramidVisionTransformer",
            embed_dims=embed_dims,
            depths=depths,
            num_heads=num_heads,
            mlp_ratios=mlp_ratios,
            sr_ratios=sr_ratios,
        )
        if final_norm and sr_ratios[-1] != 1:
            raise UserError(
                f"PyramidVisionTransformer: sr_ratios {tuple(sr_ratios)} reduce the last map, to "
                "which final_norm adds a class token; end them in 1"
            )
        strides = [patch_size * 2**stage for stage in range(len(depths))]
        if pretrain_img_size < strides[-1]:
            raise UserError(
                f"PyramidVisionTransformer: pretrain_img_size {pretrain_img_size} holds no patch "
                f"of the last stage; give {strides[-1]} or more"
            )
        self.out_indices = check_out_indices(out_indices, len(depths), "PyramidVisionTransformer")
        self.out_channels = tuple(embed_dims[index] for index in self.out_indices)
        self.strides = tuple(strides[index] for index in self.out_indices)
        self.num_features = embed_dims[-1]
        self.num_class_tokens = int(final_norm)
        self.frozen_stages = frozen_stages

        rates = iter(linear_drop_path_rates(drop_path_rate, sum(depths)))
        self.stages = nn.ModuleList(
            PVTStage(
                PatchEmbed(
                    2 if stage else patch_size,
                    dim,
                    in_channels=embed_dims[stage - 1] if stage else 3,
                    drops_remainder=True,
                ),
                [
                    PVTBlock(
                        dim,
                        SpatialReductionAttention(
                            dim,
                            num_heads[stage],
                            sr_ratio=sr_ratios[stage],
                            qkv_bias=qkv_bias,
                        ),
                        FeedForward(dim, int(dim * mlp_ratios[stage])),
                        drop_path_rate=next(rates),
                    )
                    for _ in range(depths[stage])
                ],
                dim=dim,
                grid_side=pretrain_img_size // strides[stage],
                has_class_token=final_norm and stage == len(depths) - 1,
                with_checkpoint=with_checkpoint,
            )
            for stage, dim in enumerate(embed_dims)
        )
        self.norm = nn.LayerNorm(self.num_features, eps=EPS) if final_norm else nn.Identity()
        self.freeze()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the feature maps.

        Args:
            images: (B, 3, H, W), any size.

        Returns:
            One map (B, C_l, H // stride_l, W // stride_l), no side less than 1, per entry of
            `out_indices`.
        """
        x, maps = images, []
        for index, stage in enumerate(self.stages):
            _, x = stage(x)
            if index in self.out_indices:
                maps.append(x)
        return tuple(maps)

    def forward_tokens(self, images: Tensor) -> Tensor:
        x = images
        for stage in self.stages:
            tokens, x = stage(x)
        return self.norm(tokens)

    def freeze(self) -> None:
        if self.frozen_stages < 0:
            return
        self.stages[0].pos_embed.requires_grad_(False)
        for module in (self.stages[0].patch_embed, *self.stages[: self.frozen_stages]):
            module.eval().requires_grad_(False)


class PVTStage(nn.Module):
    """Patches of the map before, their position embedding, and blocks."""

    def __init__(
        self,
        patch_embed: PatchEmbed,
        blocks: Sequence[nn.Module],
        *,
        dim: int,
        grid_side: int,
        has_class_token: bool,
        with_checkpoint: bool,
    ) -> None:
        super().__init__()
        self.with_checkpoint = with_checkpoint
        self.patch_embed = patch_embed
        self.pos_embed = nn.Parameter(torch.empty(1, dim, grid_side, grid_side))
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        self.cls_token = self.cls_pos_embed = None
        if has_class_token:
            self.cls_token = nn.Parameter(torch.empty(1, 1, dim))
            self.cls_pos_embed = nn.Parameter(torch.empty(1, 1, dim))
            nn.init.trunc_normal_(self.cls_token, std=0.02)
            nn.init.trunc_normal_(self.cls_pos_embed, std=0.02)
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the stage.

        Args:
            x: (B, C', H', W').

        Returns:
            The tokens (B, N, C), a class token before those of the map if there is one, and the map
            (B, C, H, W).
        """
        x = self.patch_embed(x)
        size = x.shape[1:3]
        embedding = resize_position_embedding(self.pos_embed, size, mode="bilinear")
        x = x + embedding.permute(0, 2, 3, 1).to(x.dtype)
        if self.cls_token is not None:
            class_token = (self.cls_token + self.cls_pos_embed).to(x.dtype)
            x = torch.cat([class_token.expand(x.shape[0], -1, -1), x.flatten(1, 2)], dim=1)
        for block in self.blocks:
            x = run_block(block, x, with_checkpoint=self.with_checkpoint)
        if self.cls_token is not None:
            return x, as_feature_map(x[:, 1:].unflatten(1, size))
        return x.flatten(1, 2), as_feature_map(x)


class PVTBlock(nn.Module):
    """Attention and a feed-forward network, each normalized before and added after."""

    def __init__(self, dim: int, attn: nn.Module, mlp: nn.Module, *, drop_path_rate: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=EPS)
        self.attn = attn
        self.norm2 = nn.LayerNorm(dim, eps=EPS)
        self.mlp = mlp
        self.drop_path = DropPath(drop_path_rate)

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (B, H, W, C), or (B, N, C) if `attn` and `mlp` take tokens, to the same shape."""
        x = x + self.drop_path(self.attn(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))


def check_stages(owner: str, **per_stage: Sequence[float]) -> None:
    """Raise UserError unless all arguments have as many entries as each other."""
    if len({len(values) for values in per_stage.values()}) > 1:
        lengths = ", ".join(f"{len(values)} {name}" for name, values in per_stage.items())
        raise UserError(f"{owner}: {lengths}; give one of each per stage")
