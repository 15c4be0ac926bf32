"""Vision Transformer (Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021,
arXiv:2010.11929), also with DeiT's distillation token (Touvron et al. 2021, arXiv:2012.12877), and
as the plain backbone of ViTDet (Li et al. 2022, arXiv:2203.16527).
"""

from collections.abc import Sequence
from functools import partial
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
    MapAttention,
    MapRescaling,
    PatchEmbed,
    SelfAttention,
    linear_drop_path_rates,
)
from vitdet.layers.feature_map import as_feature_map
from vitdet.layers.position_embedding import resize_position_embedding
from vitdet.registry import MODELS


class ViTArch(NamedTuple):
    """A published size: ViT's (table 1) and, for the two small ones, DeiT's (table 1)."""

    embed_dims: int
    depth: int
    num_heads: int


ARCHS = {
    "tiny": ViTArch(192, 12, 3),
    "small": ViTArch(384, 12, 6),
    "base": ViTArch(768, 12, 12),
    "large": ViTArch(1024, 24, 16),
    "huge": ViTArch(1280, 32, 16),
}
LayerNorm = partial(nn.LayerNorm, eps=1e-6)


@MODELS.register_module()
class VisionTransformer(Backbone):
    """Feature maps of a plain transformer, whose tokens all have one stride.

    Maps are taken after blocks at several depths, without a norm, and brought to a pyramid of
    strides, as BEiT does for UperNet. ViTDet takes the last map as it is (`out_strides=None`) and
    leaves the pyramid to its neck, `vitdet.necks.SimpleFeaturePyramid`.

    With `window_size` or `use_rel_pos` there is no class token, as in ViTDet: tokens stay a map.

    Args:
        arch: published size, "tiny", "small", "base", "large" or "huge"; gives the width, depth and
            heads their values where they are None. DeiT-Ti, -S and -B are the first three.
        patch_size: side of a patch in pixels.
        img_size: side, or (height, width), in pixels of the images that the learned positions were
            made for. They are resized (bicubic) to the image at hand.
        embed_dims: channels.
        depth: blocks.
        num_heads: heads of each block.
        mlp_ratio: hidden channels of the feed-forward network per channel.
        qkv_bias: whether queries, keys and values have a bias.
        drop_path_rate: rate of stochastic depth in the last block; it rises linearly from 0.
        with_distillation_token: whether a second token stands beside the class token, as in DeiT.
        antialias: whether resizing the positions smooths them first: timm does, for images of
            another size than `img_size`; the original code, DeiT, MAE and ViTDet do not.
        window_size: side in tokens of the windows attended within, 0 for global attention.
        global_attn_indices: blocks that attend globally nevertheless; four, evenly spaced, where it
            is None.
        use_rel_pos: whether attention is biased by decomposed relative positions.
        rel_pos_img_size: side in pixels of the images that global blocks learn relative positions
            for; they are interpolated to the image at hand.
        out_indices: blocks to return maps of, counted from 0, one per entry of `out_strides`. Where
            it is None, evenly spaced ones, or without `out_strides` the last.
        out_strides: pixels per token of each returned map, each a power of two times smaller or
            larger than the patch; None for the maps as they are.
        frozen_stages: -1 trains everything, 0 freezes the patch embedding, tokens and positions, k
            also the first k blocks.
        with_checkpoint: recompute each block in the backward pass to save memory.
        final_norm: whether `forward_tokens` ends in a norm, as classifiers do.
        init_cfg: mmengine's; `dict(type="Pretrained", checkpoint=...)` takes any published layout.
    """

    def __init__(
        self,
        arch: str = "base",
        *,
        patch_size: int = 16,
        img_size: int | Sequence[int] = 224,
        embed_dims: int | None = None,
        depth: int | None = None,
        num_heads: int | None = None,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        drop_path_rate: float = 0.1,
        with_distillation_token: bool = False,
        antialias: bool = False,
        window_size: int = 0,
        global_attn_indices: Sequence[int] | None = None,
        use_rel_pos: bool = False,
        rel_pos_img_size: int = 1024,
        out_indices: Sequence[int] | None = None,
        out_strides: Sequence[int] | None = (4, 8, 16, 32),
        frozen_stages: int = -1,
        with_checkpoint: bool = False,
        final_norm: bool = False,
        init_cfg: InitConfig = None,
    ) -> None:
        super().__init__(init_cfg)
        size = published_size(ARCHS, arch, "VisionTransformer")
        self.embed_dims = embed_dims = embed_dims or size.embed_dims
        depth, num_heads = depth or size.depth, num_heads or size.num_heads
        self.antialias = antialias
        self.frozen_stages = frozen_stages
        self.with_checkpoint = with_checkpoint
        self.num_features = embed_dims
        self.keeps_map = window_size > 0 or use_rel_pos
        if self.keeps_map and with_distillation_token:
            raise UserError(
                "VisionTransformer: with window_size or use_rel_pos there are no class tokens; "
                "leave with_distillation_token out"
            )
        self.num_class_tokens = 0 if self.keeps_map else 1 + with_distillation_token

        self.patch_embed = PatchEmbed(patch_size, embed_dims, has_norm=False)
        self._add_tokens_and_positions(_grid(img_size, patch_size))
        if global_attn_indices is None:
            global_attn_indices = evenly_spaced(depth, 4)
        if not all(0 <= index < depth for index in global_attn_indices):
            raise UserError(
                f"VisionTransformer: global_attn_indices {tuple(global_attn_indices)} name blocks "
                f"that do not exist; there are {depth}, counted from 0"
            )
        rates = linear_drop_path_rates(drop_path_rate, depth)
        rel_pos_size = rel_pos_img_size // patch_size
        self.blocks = nn.ModuleList()
        for index, rate in enumerate(rates):
            side = 0 if index in global_attn_indices else window_size
            attn = (
                MapAttention(
                    embed_dims,
                    num_heads,
                    window_size=side,
                    rel_pos_size=use_rel_pos * (side or rel_pos_size),
                    qkv_bias=qkv_bias,
                )
                if self.keeps_map
                else SelfAttention(embed_dims, num_heads, qkv_bias=qkv_bias)
            )
            self.blocks.append(ViTBlock(embed_dims, attn, int(embed_dims * mlp_ratio), rate))
        self.out_indices, self.strides, self.rescalings = plain_outputs(
            "VisionTransformer", depth, self.embed_dims, patch_size, out_indices, out_strides
        )
        self.out_channels = (self.embed_dims,) * len(self.out_indices)
        self.norm = LayerNorm(embed_dims) if final_norm else nn.Identity()
        self.freeze()

    def _add_tokens_and_positions(self, grid: tuple[int, int]) -> None:
        dim = self.embed_dims
        self.pos_embed = nn.Parameter(torch.empty(1, dim, *grid))
        parameters = [self.pos_embed]
        if self.num_class_tokens:
            self.cls_token = nn.Parameter(torch.empty(1, 1, dim))
            self.token_pos_embed = nn.Parameter(torch.empty(1, self.num_class_tokens, dim))
            parameters += [self.cls_token, self.token_pos_embed]
        if self.num_class_tokens == 2:
            self.dist_token = nn.Parameter(torch.empty(1, 1, dim))
            parameters.append(self.dist_token)
        for parameter in parameters:
            nn.init.trunc_normal_(parameter, std=0.02)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the feature maps.

        Args:
            images: (B, 3, H, W), any size.

        Returns:
            One map (B, C, ceil(H / stride_l), ceil(W / stride_l)) per entry of `out_indices`.
        """
        x, grid = self.embed(images)
        maps: list[Tensor] = []
        for index, block in enumerate(self.blocks):
            x = run_block(block, x, with_checkpoint=self.with_checkpoint)
            maps += [self._as_map(x, grid)] * self.out_indices.count(index)
        if not self.rescalings:
            return tuple(maps)
        height, width = images.shape[2:]
        return tuple(
            rescale(feature_map, height, width)
            for rescale, feature_map in zip(self.rescalings, maps, strict=True)
        )

    def forward_tokens(self, images: Tensor) -> Tensor:
        x, _ = self.embed(images)
        for block in self.blocks:
            x = run_block(block, x, with_checkpoint=self.with_checkpoint)
        x = self.norm(x)
        return x.flatten(1, 2) if self.keeps_map else x

    def embed(self, images: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Map images: (B, 3, H, W) to the first block's tokens and their grid.

        The grid is H / patch by W / patch. The tokens are (B, H / patch, W / patch, C), or with
        class tokens (B, N, C), those first.
        """
        x = self.patch_embed(images)
        batch, height, width, _ = x.shape
        positions = resize_position_embedding(
            self.pos_embed, (height, width), antialias=self.antialias
        )
        x = x + positions.permute(0, 2, 3, 1).to(x.dtype)
        if self.keeps_map:
            return x.contiguous(), (height, width)
        tokens = self.cls_token
        if self.num_class_tokens == 2:
            tokens = torch.cat([tokens, self.dist_token], 1)
        tokens = (tokens + self.token_pos_embed).to(x.dtype).expand(batch, -1, -1)
        return torch.cat([tokens, x.flatten(1, 2)], 1), (height, width)

    def _as_map(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        """Lay the patches' tokens out, (B, C, H / patch, W / patch)."""
        if not self.keeps_map:
            x = x[:, self.num_class_tokens :].unflatten(1, grid)
        return as_feature_map(x)

    def freeze(self) -> None:
        if self.frozen_stages < 0:
            return
        for parameter in self.parameters(recurse=False):
            parameter.requires_grad_(False)
        for module in (self.patch_embed, *self.blocks[: self.frozen_stages]):
            module.eval().requires_grad_(False)


class ViTBlock(nn.Module):
    """Attention and a feed-forward network, each normalized before and added after."""

    def __init__(self, dim: int, attn: nn.Module, hidden_dim: int, drop_path_rate: float) -> None:
        super().__init__()
        self.norm1 = LayerNorm(dim)
        self.attn = attn
        self.norm2 = LayerNorm(dim)
        self.mlp = FeedForward(dim, hidden_dim)
        self.drop_path = DropPath(drop_path_rate)

    def forward(self, x: Tensor, num_queries: int | None = None) -> Tensor:
        """Map x: (B, N, C) or (B, H, W, C), as the attention takes it, to the same shape.

        With `num_queries` only that many tokens are mapped, the last ones of x: (B, N, C).
        """
        if num_queries is None:
            x = x + self.drop_path(self.attn(self.norm1(x)))
        else:
            attended = self.attn(self.norm1(x), num_queries=num_queries)
            x = x[:, -num_queries:] + self.drop_path(attended)
        return x + self.drop_path(self.mlp(self.norm2(x)))


def plain_outputs(
    owner: str,
    depth: int,
    dim: int,
    patch_size: int,
    out_indices: Sequence[int] | None,
    out_strides: Sequence[int] | None,
) -> tuple[tuple[int, ...], tuple[int, ...], nn.ModuleList]:
    """Which blocks of a plain transformer return maps, their strides, and what brings them there.

    Raises:
        UserError: a block does not exist, there is not one stride per map, or one that cannot be.
    """
    if out_indices is None:
        out_indices = evenly_spaced(depth, 1 if out_strides is None else len(out_strides))
    indices = check_out_indices(out_indices, depth, owner, what="blocks")
    if out_strides is None or not indices:
        return indices, (patch_size,) * len(indices), nn.ModuleList()
    if len(out_strides) != len(indices):
        raise UserError(
            f"{owner}: {len(indices)} out_indices but {len(out_strides)} out_strides; give one of "
            "each per map"
        )
    try:
        rescalings = [MapRescaling(dim, patch_size, stride) for stride in out_strides]
    except UserError as error:
        near = tuple(patch_size * 2**k // 2 for k in range(4))
        raise UserError(
            f"{owner}: out_strides {tuple(out_strides)}: {error}, e.g. {near}, or "
            "out_strides=None for the maps as they are"
        ) from error
    return indices, tuple(out_strides), nn.ModuleList(rescalings)


def evenly_spaced(depth: int, count: int) -> tuple[int, ...]:
    """Indices of `count` blocks, the last among them; repeated where there are fewer blocks."""
    return tuple(-(-depth * index // count) - 1 for index in range(1, count + 1))


def _grid(img_size: int | Sequence[int], patch_size: int) -> tuple[int, int]:
    """Rows and columns of patches in an image."""
    height, width = (img_size, img_size) if isinstance(img_size, int) else img_size
    if min(height, width) < patch_size:
        raise UserError(
            f"VisionTransformer: img_size {img_size} is less than a patch of {patch_size}; "
            "give the size that the positions were trained for"
        )
    return height // patch_size, width // patch_size
