"""Swin Transformer V2 (Liu et al., "Swin Transformer V2: Scaling Up Capacity and Resolution",
CVPR 2022, arXiv:2111.09883).

Maps stay channels-last, (B, H, W, C), from the first layer to the last.
"""

from collections.abc import Sequence

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
from vitdet.backbones.swin import ARCHS
from vitdet.errors import UserError
from vitdet.layers import (
    CosineWindowAttention,
    DropPath,
    FeedForward,
    PatchEmbed,
    PatchMerging,
    linear_drop_path_rates,
)
from vitdet.layers.relative_position import log_spaced_offsets, relative_position_index
from vitdet.layers.windows import shift_mask, shift_mask_patterns
from vitdet.registry import MODELS


@MODELS.register_module()
class SwinTransformerV2(Backbone):
    """Feature maps of Swin's hierarchy with cosine attention and norms after each branch.

    A map that whole windows do not fill is zero-padded before each attention and cropped after it,
    and an odd one before patch merging, as in Swin v1's code for detection (v2's own code takes no
    such sizes). Where the shorter side of a map is not longer than a window, windows shrink to that
    side and are not shifted, as in the paper's code.

    Args:
        arch: published size, "tiny", "small", "base" or "large"; gives `embed_dims`, `depths` and
            `num_heads` their values where they are None.
        patch_size: side of a patch in pixels.
        embed_dims: channels of the first stage; each later stage doubles them.
        depths: blocks per stage.
        num_heads: heads per stage.
        window_size: side of a window in tokens.
        pretrained_window_sizes: per stage the side of the windows in pre-training, where it was
            another, as (12, 12, 12, 6) for the published "w12to16"; 0 where it was not. The
            weights of the position bias are the same for all windows, so that a checkpoint cannot
            tell.
        mlp_ratio: hidden channels of the feed-forward network per channel.
        qkv_bias: whether queries and values have a bias.
        drop_path_rate: rate of stochastic depth in the last block; it rises linearly from 0.
        out_indices: stages to return, each through a norm of its own.
        frozen_stages: -1 trains everything, 0 freezes the patch embedding, k also the first k
            stages and their output norms.
        with_checkpoint: recompute each block in the backward pass to save memory.
        patch_norm: whether tokens are normalized after the patch embedding.
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
        window_size: int = 8,
        pretrained_window_sizes: Sequence[int] | None = None,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        drop_path_rate: float = 0.2,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        frozen_stages: int = -1,
        with_checkpoint: bool = False,
        patch_norm: bool = True,
        final_norm: bool = False,
        init_cfg: InitConfig = None,
    ) -> None:
        super().__init__(init_cfg)
        size = published_size(ARCHS, arch, "SwinTransformerV2")
        embed_dims = embed_dims or size.embed_dims
        depths = depths or size.depths
        num_heads = num_heads or size.num_heads
        pretrained_window_sizes = pretrained_window_sizes or [0] * len(depths)
        if not len(depths) == len(num_heads) == len(pretrained_window_sizes):
            raise UserError(
                f"SwinTransformerV2: {len(depths)} depths, {len(num_heads)} num_heads and "
                f"{len(pretrained_window_sizes)} pretrained_window_sizes; give one of each per "
                "stage"
            )
        if window_size < 1:
            raise UserError(f"SwinTransformerV2: window_size {window_size}; give at least 1 token")
        dims = [embed_dims * 2**stage for stage in range(len(depths))]
        self.out_indices = check_out_indices(out_indices, len(depths), "SwinTransformerV2")
        self.out_channels = tuple(dims[index] for index in self.out_indices)
        self.strides = tuple(patch_size * 2**index for index in self.out_indices)
        self.num_features = dims[-1]
        self.frozen_stages = frozen_stages

        self.patch_embed = PatchEmbed(patch_size, embed_dims, has_norm=patch_norm)
        rates = iter(linear_drop_path_rates(drop_path_rate, sum(depths)))
        self.stages = nn.ModuleList(
            SwinStageV2(
                dim,
                heads,
                window_size=window_size,
                pretrained_window_size=pretrained_window_size,
                mlp_ratio=mlp_ratio,
                qkv_bias=qkv_bias,
                drop_path_rates=[next(rates) for _ in range(depth)],
                has_downsample=dim != dims[-1],
                with_checkpoint=with_checkpoint,
            )
            for dim, depth, heads, pretrained_window_size in zip(
                dims, depths, num_heads, pretrained_window_sizes, strict=True
            )
        )
        self.norms = nn.ModuleDict({str(i): nn.LayerNorm(dims[i]) for i in self.out_indices})
        self.norm = nn.LayerNorm(dims[-1]) if final_norm else nn.Identity()
        self.freeze()

    def init_module(self, module: nn.Module) -> None:
        """Let blocks begin as the identity, their norms at 0, as in the paper's code."""
        super().init_module(module)
        if isinstance(module, SwinBlockV2):
            for norm in (module.norm1, module.norm2):
                nn.init.zeros_(norm.weight)

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


class SwinStageV2(nn.Module):
    """Blocks of one resolution, every second one shifted by half a window, then patch merging."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        *,
        window_size: int,
        pretrained_window_size: int,
        mlp_ratio: float,
        qkv_bias: bool,
        drop_path_rates: Sequence[float],
        has_downsample: bool,
        with_checkpoint: bool,
    ) -> None:
        super().__init__()
        shift = window_size // 2
        self.window_size = window_size
        self.pretrained_window_size = pretrained_window_size
        self.with_checkpoint = with_checkpoint
        self.blocks = nn.ModuleList(
            SwinBlockV2(
                dim,
                num_heads,
                shift=shift * (index % 2),
                mlp_ratio=mlp_ratio,
                qkv_bias=qkv_bias,
                drop_path_rate=rate,
            )
            for index, rate in enumerate(drop_path_rates)
        )
        self.downsample = PatchMerging(dim, norm_last=True) if has_downsample else nn.Identity()
        buffers = {
            "mask_patterns": shift_mask_patterns(window_size, shift),
            "offsets": log_spaced_offsets(window_size, pretrained_window_size),
            "relative_position_index": relative_position_index(window_size),
        }
        for name, buffer in buffers.items():
            self.register_buffer(name, buffer, persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map x: (B, H, W, C) to the stage's (B, H, W, C) and the next one's (B, H/2, W/2, 2C)."""
        height, width = x.shape[1:3]
        if height > self.window_size and width > self.window_size:
            window_size = self.window_size
            rows, columns = -(-height // window_size), -(-width // window_size)
            mask = shift_mask(self.mask_patterns.to(x.dtype), rows, columns)
        else:
            window_size, mask = min(height, width, self.window_size), None
        # All of these are laid out once per stage and forward, for all blocks and images.
        offsets, index = self._positions(window_size)
        for block in self.blocks:
            x = run_block(
                block, x, offsets, index, mask, window_size, with_checkpoint=self.with_checkpoint
            )
        return x, self.downsample(x)

    def _positions(self, window_size: int) -> tuple[Tensor, Tensor]:
        """Offsets within a window and, for each pair of its tokens, which of them is theirs."""
        if window_size == self.window_size:
            return self.offsets, self.relative_position_index
        device = self.offsets.device
        offsets = log_spaced_offsets(window_size, self.pretrained_window_size, device)
        index = relative_position_index(window_size, device)
        return offsets.to(self.offsets.dtype), index


class SwinBlockV2(nn.Module):
    """Window attention and a feed-forward network, each normalized before it is added."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        *,
        shift: int,
        mlp_ratio: float,
        qkv_bias: bool,
        drop_path_rate: float,
    ) -> None:
        super().__init__()
        self.attn = CosineWindowAttention(dim, num_heads, shift=shift, qkv_bias=qkv_bias)
        self.norm1 = nn.LayerNorm(dim)
        self.mlp = FeedForward(dim, int(dim * mlp_ratio))
        self.norm2 = nn.LayerNorm(dim)
        self.drop_path = DropPath(drop_path_rate)

    def forward(
        self, x: Tensor, offsets: Tensor, index: Tensor, shift_mask: Tensor | None, window_size: int
    ) -> Tensor:
        """Map x: (B, H, W, C) to the same shape; the rest as in `CosineWindowAttention`."""
        mask = shift_mask if self.attn.shift else None
        attended = self.attn(x, offsets, index, mask, window_size=window_size)
        x = x + self.drop_path(self.norm1(attended))
        return x + self.drop_path(self.norm2(self.mlp(x)))
