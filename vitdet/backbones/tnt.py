"""TNT (Han et al., "Transformer in Transformer", NeurIPS 2021, arXiv:2103.00112).

An inner transformer attends among the pixels of each patch, as small tokens, and adds what it finds
to the outer transformer's token of the patch, before each of that one's blocks.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitdet.backbones.backbone import (
    Backbone,
    InitConfig,
    published_size,
    run_block,
)
from vitdet.backbones.vit import plain_outputs
from vitdet.errors import UserError
from vitdet.layers import (
    DropPath,
    FeedForward,
    SelfAttention,
    linear_drop_path_rates,
)
from vitdet.layers.feature_map import as_feature_map
from vitdet.layers.position_embedding import resize_position_embedding
from vitdet.registry import MODELS


class TNTArch(NamedTuple):
    """A published size (table 1)."""

    embed_dims: int
    inner_dims: int
    depth: int
    num_heads: int
    inner_num_heads: int


ARCHS = {"small": TNTArch(384, 24, 12, 6, 4), "base": TNTArch(640, 40, 12, 10, 4)}


@MODELS.register_module()
class TNT(Backbone):
    """Feature maps of a plain transformer with another one inside each of its patches.

    Maps are taken from the outer transformer at several depths, without a norm and without the
    class token, and brought to a pyramid of strides, as `VisionTransformer` does. The class token
    takes part in attention, as in pre-training; its own features only a classifier reads.

    Args:
        arch: published size, "small" or "base"; gives `embed_dims`, `inner_dims`, `depth` and both
            numbers of heads their values where they are None.
        patch_size: side of a patch in pixels.
        inner_stride: pixels per token of the inner transformer.
        img_size: side, or (height, width), in pixels of the images that the learned positions of
            the patches were made for. They are resized (bicubic) to the image at hand.
        embed_dims: channels of the outer transformer.
        inner_dims: channels of the inner transformer.
        depth: blocks.
        num_heads: heads of each outer block.
        inner_num_heads: heads of each inner block.
        mlp_ratio: hidden channels of the feed-forward networks per channel.
        qkv_bias: whether queries, keys and values have a bias.
        drop_path_rate: rate of stochastic depth in the last block; it rises linearly from 0. In the
            inner transformer it leaves out branches of single patches, as published.
        out_indices: blocks to return maps of, counted from 0, one per entry of `out_strides`. Where
            it is None, evenly spaced ones, or without `out_strides` the last.
        out_strides: pixels per token of each returned map, each a power of two times smaller or
            larger than the patch; None for the maps as they are.
        frozen_stages: -1 trains everything, 0 freezes the embedding, tokens and positions, k also
            the first k blocks.
        with_checkpoint: recompute each block in the backward pass to save memory.
        final_norm: whether `forward_tokens` ends in a norm, as classifiers do.
        init_cfg: mmengine's; `dict(type="Pretrained", checkpoint=...)` takes any published layout.
    """

    num_class_tokens = 1

    def __init__(
        self,
        arch: str = "small",
        *,
        patch_size: int = 16,
        inner_stride: int = 4,
        img_size: int | Sequence[int] = 224,
        embed_dims: int | None = None,
        inner_dims: int | None = None,
        depth: int | None = None,
        num_heads: int | None = None,
        inner_num_heads: int | None = None,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = False,
        drop_path_rate: float = 0.1,
        out_indices: Sequence[int] | None = None,
        out_strides: Sequence[int] | None = (4, 8, 16, 32),
        frozen_stages: int = -1,
        with_checkpoint: bool = False,
        final_norm: bool = False,
        init_cfg: InitConfig = None,
    ) -> None:
        super().__init__(init_cfg)
        size = published_size(ARCHS, arch, "TNT")
        self.num_features = embed_dims = embed_dims or size.embed_dims
        inner_dims, depth = inner_dims or size.inner_dims, depth or size.depth
        self.frozen_stages = frozen_stages
        self.with_checkpoint = with_checkpoint

        self.pixel_embed = PixelEmbed(patch_size, inner_stride, inner_dims)
        num_pixels = self.pixel_embed.num_pixels
        self.to_outer = InnerToOuter(num_pixels * inner_dims, embed_dims, has_bias=True)
        height, width = (img_size, img_size) if isinstance(img_size, int) else img_size
        grid = (height // patch_size, width // patch_size)
        if not min(grid):
            raise UserError(
                f"TNT: img_size {img_size} is less than a patch of {patch_size}; give the size "
                "that the positions were trained for"
            )
        self.pixel_pos_embed = nn.Parameter(torch.empty(1, num_pixels, inner_dims))
        self.pos_embed = nn.Parameter(torch.empty(1, embed_dims, *grid))
        self.cls_token = nn.Parameter(torch.empty(1, 1, embed_dims))
        self.token_pos_embed = nn.Parameter(torch.empty(1, 1, embed_dims))
        for parameter in self.parameters(recurse=False):
            nn.init.trunc_normal_(parameter, std=0.02)

        self.blocks = nn.ModuleList(
            TNTBlock(
                embed_dims,
                inner_dims,
                num_pixels,
                num_heads=num_heads or size.num_heads,
                inner_num_heads=inner_num_heads or size.inner_num_heads,
                mlp_ratio=mlp_ratio,
                qkv_bias=qkv_bias,
                drop_path_rate=rate,
            )
            for rate in linear_drop_path_rates(drop_path_rate, depth)
        )
        self.out_indices, self.strides, self.rescalings = plain_outputs(
            "TNT", depth, embed_dims, patch_size, out_indices, out_strides
        )
        self.out_channels = (embed_dims,) * len(self.out_indices)
        self.norm = nn.LayerNorm(embed_dims) if final_norm else nn.Identity()
        self.freeze()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the feature maps.

        Args:
            images: (B, 3, H, W), any size.

        Returns:
            One map (B, C, ceil(H / stride_l), ceil(W / stride_l)) per entry of `out_indices`.
        """
        inner, outer, grid = self._embed(images)
        maps: list[Tensor] = []
        for index, block in enumerate(self.blocks[: max(self.out_indices, default=-1) + 1]):
            inner, outer = run_block(block, inner, outer, with_checkpoint=self.with_checkpoint)
            feature_map = as_feature_map(outer[:, 1:].unflatten(1, grid))
            maps += [feature_map] * self.out_indices.count(index)
        if not self.rescalings:
            return tuple(maps)
        height, width = images.shape[2:]
        return tuple(
            rescale(feature_map, height, width)
            for rescale, feature_map in zip(self.rescalings, maps, strict=True)
        )

    def forward_tokens(self, images: Tensor) -> Tensor:
        inner, outer, _ = self._embed(images)
        for block in self.blocks:
            inner, outer = run_block(block, inner, outer, with_checkpoint=self.with_checkpoint)
        return self.norm(outer)

    def _embed(self, images: Tensor) -> tuple[Tensor, Tensor, tuple[int, int]]:
        """Map images: (B, 3, H, W) to inner tokens, outer ones and the grid of patches.

        The inner ones are (B * H / patch * W / patch, num_pixels, inner_dims), the outer ones
        (B, 1 + H / patch * W / patch, C), the class token first.
        """
        inner, grid = self.pixel_embed(images)
        inner = inner + self.pixel_pos_embed.to(inner.dtype)
        patches = self.to_outer(inner.reshape(images.shape[0], grid[0] * grid[1], -1))
        positions = resize_position_embedding(self.pos_embed, grid).flatten(2).transpose(1, 2)
        patches = patches + positions.to(patches.dtype)
        token = (self.cls_token + self.token_pos_embed).to(patches.dtype)
        return inner, torch.cat([token.expand(images.shape[0], -1, -1), patches], 1), grid

    def freeze(self) -> None:
        if self.frozen_stages < 0:
            return
        for parameter in self.parameters(recurse=False):
            parameter.requires_grad_(False)
        for module in (self.pixel_embed, self.to_outer, *self.blocks[: self.frozen_stages]):
            module.eval().requires_grad_(False)


class PixelEmbed(nn.Module):
    """Small tokens of each patch by itself, the image zero-padded at the bottom and right.

    The kernels overlap within a patch and see zeros beyond its border.
    """

    def __init__(self, patch_size: int, stride: int, dim: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.num_pixels = (-(-patch_size // stride)) ** 2
        self.proj = nn.Conv2d(3, dim, 7, stride=stride, padding=3)

    def forward(self, images: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Map images: (B, 3, H, W) to (B * rows * columns, num_pixels, C), and (rows, columns)."""
        size = self.patch_size
        height, width = images.shape[2:]
        if height % size or width % size:
            images = F.pad(images, (0, -width % size, 0, -height % size))
        rows, columns = -(-height // size), -(-width // size)
        patches = images.unflatten(3, (columns, size)).unflatten(2, (rows, size))
        patches = patches.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)  # (B * rows * columns, 3, P, P)
        return self.proj(patches).flatten(2).transpose(1, 2), (rows, columns)


class InnerToOuter(nn.Module):
    """What the small tokens of a patch, side by side, add to the patch's token."""

    def __init__(self, inner_dim: int, dim: int, *, has_bias: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(inner_dim)
        self.proj = nn.Linear(inner_dim, dim, bias=has_bias)
        self.norm2 = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (B, N, num_pixels * inner_dims) to (B, N, C)."""
        return self.norm2(self.proj(self.norm1(x)))


class TNTBlock(nn.Module):
    """A block of the inner transformer, and one of the outer that hears of it (eqs. 4 to 9)."""

    def __init__(
        self,
        dim: int,
        inner_dim: int,
        num_pixels: int,
        *,
        num_heads: int,
        inner_num_heads: int,
        mlp_ratio: float,
        qkv_bias: bool,
        drop_path_rate: float,
    ) -> None:
        super().__init__()
        options = dict(mlp_ratio=mlp_ratio, qkv_bias=qkv_bias, drop_path_rate=drop_path_rate)
        self.inner = TransformerBlock(inner_dim, inner_num_heads, **options)
        self.to_outer = InnerToOuter(num_pixels * inner_dim, dim, has_bias=False)
        self.outer = TransformerBlock(dim, num_heads, **options)

    def forward(self, inner: Tensor, outer: Tensor) -> tuple[Tensor, Tensor]:
        """Map inner: (B * N, num_pixels, inner_dims) and outer: (B, 1 + N, C) to the same."""
        inner = self.inner(inner)
        token, patches = outer[:, :1], outer[:, 1:]
        patches = patches + self.to_outer(inner.reshape(*patches.shape[:2], -1))
        return inner, self.outer(torch.cat([token, patches], 1))


class TransformerBlock(nn.Module):
    """Attention and a feed-forward network, each normalized before and added after."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        *,
        mlp_ratio: float,
        qkv_bias: bool,
        drop_path_rate: float,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = SelfAttention(dim, num_heads, qkv_bias=qkv_bias)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = FeedForward(dim, int(dim * mlp_ratio))
        self.drop_path = DropPath(drop_path_rate)

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (B, N, C) to the same shape."""
        x = x + self.drop_path(self.attn(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))
