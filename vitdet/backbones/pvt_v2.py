"""Pyramid Vision Transformer, version 2 (Wang et al., "PVT v2: Improved Baselines with Pyramid
Vision Transformer", Computational Visual Media 2022, arXiv:2106.13797).

Maps stay channels-last, (B, H, W, C), from the first layer to the last.
"""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from vitdet.backbones.backbone import (
    Backbone,
    InitConfig,
    check_out_indices,
    published_size,
    run_block,
)
from vitdet.backbones.pvt import EPS, PVTArch, PVTBlock, check_stages
from vitdet.layers import (
    ConvFeedForward,
    OverlappingPatchEmbed,
    SpatialReductionAttention,
    linear_drop_path_rates,
)
from vitdet.layers.feature_map import as_feature_map
from vitdet.registry import MODELS

ARCHS = {
    "b0": PVTArch((32, 64, 160, 256), (2, 2, 2, 2)),
    "b1": PVTArch((64, 128, 320, 512), (2, 2, 2, 2)),
    "b2": PVTArch((64, 128, 320, 512), (3, 4, 6, 3)),
    "b2_linear": PVTArch((64, 128, 320, 512), (3, 4, 6, 3), linear_attention=True),
    "b3": PVTArch((64, 128, 320, 512), (3, 4, 18, 3)),
    "b4": PVTArch((64, 128, 320, 512), (3, 8, 27, 3)),
    "b5": PVTArch((64, 128, 320, 512), (3, 6, 40, 3), mlp_ratios=(4, 4, 4, 4)),
}


@MODELS.register_module()
class PyramidVisionTransformerV2(Backbone):
    """Feature maps of a pyramid of overlapping patches, reduced attention and convolutions.

    Args:
        arch: published size, "b0" to "b5" or "b2_linear"; gives `embed_dims`, `depths`,
            `mlp_ratios` and `linear_attention` their values where they are None.
        patch_size: stride of the first stage in pixels; its patches are almost twice as large.
            Later stages have a stride of 2 tokens.
        embed_dims: channels per stage.
        depths: blocks per stage.
        num_heads: heads per stage.
        mlp_ratios: hidden channels of the feed-forward network per channel, per stage.
        sr_ratios: by how much keys and values are reduced along each axis, per stage.
        linear_attention: whether keys and values are averages of 7x7 areas in every stage, in place
            of what `sr_ratios` says.
        qkv_bias: whether queries, keys and values have a bias.
        drop_path_rate: rate of stochastic depth in the last block; it rises linearly from 0.
        out_indices: stages to return. Each ends in a norm, whose result the next one reads, too.
        frozen_stages: -1 trains everything, 0 freezes the first patch embedding, k the first k
            stages.
        with_checkpoint: recompute each block in the backward pass to save memory.
        final_norm: makes no difference, as there is always one; every backbone takes it.
        init_cfg: mmengine's; `dict(type="Pretrained", checkpoint=...)` takes any published layout.

    Attributes:
        out_channels: channels of each returned map.
        strides: pixels per token of each returned map.
    """

    def __init__(
        self,
        arch: str = "b2",
        *,
        patch_size: int = 4,
        embed_dims: Sequence[int] | None = None,
        depths: Sequence[int] | None = None,
        num_heads: Sequence[int] = (1, 2, 5, 8),
        mlp_ratios: Sequence[float] | None = None,
        sr_ratios: Sequence[int] = (8, 4, 2, 1),
        linear_attention: bool | None = None,
        qkv_bias: bool = True,
        drop_path_rate: float = 0.1,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        frozen_stages: int = -1,
        with_checkpoint: bool = False,
        final_norm: bool = False,
        init_cfg: InitConfig = None,
    ) -> None:
        super().__init__(init_cfg)
        size = published_size(ARCHS, arch, "PyramidVisionTransformerV2")
        embed_dims = embed_dims or size.embed_dims
        depths = depths or size.depths
        mlp_ratios = mlp_ratios or size.mlp_ratios
        is_linear = size.linear_attention if linear_attention is None else linear_attention
        check_stages(
            "PyramidVisionTransformerV2",
            embed_dims=embed_dims,
            depths=depths,
            num_heads=num_heads,
            mlp_ratios=mlp_ratios,
            sr_ratios=sr_ratios,
        )
        self.out_indices = check_out_indices(out_indices, len(depths), "PyramidVisionTransformerV2")
        self.out_channels = tuple(embed_dims[index] for index in self.out_indices)
        self.strides = tuple(patch_size * 2**index for index in self.out_indices)
        self.num_features = embed_dims[-1]
        self.frozen_stages = frozen_stages

        rates = iter(linear_drop_path_rates(drop_path_rate, sum(depths)))
        self.stages = nn.ModuleList(
            PVTv2Stage(
                OverlappingPatchEmbed(
                    3 if stage else 2 * patch_size - 1,
                    dim,
                    stride=2 if stage else patch_size,
                    in_channels=embed_dims[stage - 1] if stage else 3,
                ),
                [
                    PVTBlock(
                        dim,
                        SpatialReductionAttention(
                            dim,
                            num_heads[stage],
                            sr_ratio=sr_ratios[stage],
                            qkv_bias=qkv_bias,
                            is_linear=is_linear,
                        ),
                        ConvFeedForward(dim, int(dim * mlp_ratios[stage]), has_relu=is_linear),
                        drop_path_rate=next(rates),
                    )
                    for _ in range(depths[stage])
                ],
                dim=dim,
                with_checkpoint=with_checkpoint,
            )
            for stage, dim in enumerate(embed_dims)
        )
        self.freeze()

    def init_weights(self) -> None:
        """Initialize at random as published, then as `init_cfg` says."""
        if not self.is_init:
            self.apply(_init_convolution)
        super().init_weights()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the feature maps.

        Args:
            images: (B, 3, H, W), any size.

        Returns:
            One map (B, C_l, ceil(H / stride_l), ceil(W / stride_l)) per entry of `out_indices`.
        """
        x, maps = images, []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in self.out_indices:
                maps.append(x)
        return tuple(maps)

    def forward_tokens(self, images: Tensor) -> Tensor:
        x = images
        for stage in self.stages:
            x = stage(x)
        return x.permute(0, 2, 3, 1).flatten(1, 2)

    def freeze(self) -> None:
        if self.frozen_stages < 0:
            return
        for module in (self.stages[0].patch_embed, *self.stages[: self.frozen_stages]):
            module.eval().requires_grad_(False)


class PVTv2Stage(nn.Module):
    """Overlapping patches of the map before, blocks, and a norm."""

    def __init__(
        self,
        patch_embed: OverlappingPatchEmbed,
        blocks: Sequence[nn.Module],
        *,
        dim: int,
        with_checkpoint: bool,
    ) -> None:
        super().__init__()
        self.with_checkpoint = with_checkpoint
        self.patch_embed = patch_embed
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(dim, eps=EPS)

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (B, C', H', W') to (B, C, ceil(H' / stride), ceil(W' / stride))."""
        x = self.patch_embed(x)
        for block in self.blocks:
            x = run_block(block, x, with_checkpoint=self.with_checkpoint)
        return as_feature_map(self.norm(x))


def _init_convolution(module: nn.Module) -> None:
    """Normal, of variance 2 / (kernel area * outputs per group), as the authors' code does."""
    if isinstance(module, nn.Conv2d):
        fan_out = math.prod(module.kernel_size) * module.out_channels // module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
        nn.init.zeros_(module.bias)
