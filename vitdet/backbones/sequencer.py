"""Sequencer2D (Tatsunami and Taki, "Sequencer: Deep LSTM for Image Classification", NeurIPS 2022,
arXiv:2205.01972).

Maps stay channels-last, (B, H, W, C), from the first layer to the last.
"""

from collections.abc import Sequence
from itertools import accumulate
from operator import mul
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from vitdet.backbones.backbone import (
    Backbone,
    InitConfig,
    check_out_indices,
    freeze_stages,
    published_size,
    run_block,
)
from vitdet.errors import UserError
from vitdet.layers import DropPath, FeedForward, PatchEmbed
from vitdet.layers.bilstm import BiLSTM, BiLSTM2D
from vitdet.layers.feature_map import as_feature_map
from vitdet.layers.map_resampling import resample_map
from vitdet.registry import MODELS

EPS = 1e-6  # of every norm in the published code


class SequencerArch(NamedTuple):
    """A published size."""

    embed_dims: tuple[int, ...]
    depths: tuple[int, ...]
    hidden_sizes: tuple[int, ...]


WIDTHS = (192, 384, 384, 384), (48, 96, 96, 96)
ARCHS = {
    "small": SequencerArch(WIDTHS[0], (4, 3, 8, 3), WIDTHS[1]),
    "medium": SequencerArch(WIDTHS[0], (4, 3, 14, 3), WIDTHS[1]),
    "large": SequencerArch(WIDTHS[0], (8, 8, 16, 4), WIDTHS[1]),
}


@MODELS.register_module()
class Sequencer2D(Backbone):
    """Feature maps of blocks that mix tokens by LSTMs along columns and rows.

    The published model has strides 7, 14, 14 and 14: one halving, and no pyramid. By default each
    map is therefore normalized and resampled to the stride that a detector expects of its place,
    without a parameter: bilinear, by 7/4 from 7 to 4 and from 14 to 8, by 7/8 from 14 to 16, and
    averaged over 2 x 2 cells and then by 7/8 from 14 to 32. Each stage so keeps the work it was
    trained for and the published weights fit exactly. Other strides within the model (a patch of 8,
    more halving) would leave the patch embedding and the stages without the weights they had, and
    detectors with strides of 7 and 14 cannot assign anchors and RoIs to levels, or pad batches,
    by powers of two. The paper has no detector; its authors' code has no output norms, and they
    are new here because the sums of a pre-norm network grow from stage to stage.

    Args:
        arch: published size, "small", "medium" or "large"; gives the next three arguments their
            values where they are None.
        embed_dims: channels per stage.
        depths: blocks per stage.
        hidden_sizes: channels of each LSTM's state per stage; there are four LSTMs to a block.
        patch_sizes: side of a patch in pixels, then how many tokens of one stage, along either
            axis, make a token of the next.
        mlp_ratio: hidden channels of the feed-forward network per channel.
        drop_path_rate: rate of stochastic depth, the same in all blocks as published.
        out_indices: stages to return.
        out_strides: pixels per cell of each stage's returned map, or None to return the maps as
            the published model has them: of strides 7, 14, 14 and 14, without output norms, and
            with what does not fill a patch dropped instead of zero-padded.
        frozen_stages: -1 trains everything, 0 freezes the patch embedding, k also the first k
            stages and their output norms.
        with_checkpoint: recompute each block in the backward pass to save memory.
        final_norm: whether `forward_tokens` ends in a norm, as classifiers do.
        init_cfg: mmengine's; `dict(type="Pretrained", checkpoint=...)` takes any published layout.

    Attributes:
        out_channels: channels of each returned map.
        strides: pixels per cell of each returned map.
    """

    def __init__(
        self,
        arch: str = "small",
        *,
        embed_dims: Sequence[int] | None = None,
        depths: Sequence[int] | None = None,
        hidden_sizes: Sequence[int] | None = None,
        patch_sizes: Sequence[int] = (7, 2, 1, 1),
        mlp_ratio: float = 3.0,
        drop_path_rate: float = 0.1,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        out_strides: Sequence[int] | None = (4, 8, 16, 32),
        frozen_stages: int = -1,
        with_checkpoint: bool = False,
        final_norm: bool = False,
        init_cfg: InitConfig = None,
    ) -> None:
        super().__init__(init_cfg)
        size = published_size(ARCHS, arch, "Sequencer2D")
        embed_dims = embed_dims or size.embed_dims
        depths = depths or size.depths
        hidden_sizes = hidden_sizes or size.hidden_sizes
        _check_lengths(
            depths,
            embed_dims=embed_dims,
            hidden_sizes=hidden_sizes,
            patch_sizes=patch_sizes,
            out_strides=out_strides,
        )
        self.out_indices = check_out_indices(out_indices, len(depths), "Sequencer2D")
        self.out_channels = tuple(embed_dims[index] for index in self.out_indices)
        self.stage_strides = tuple(accumulate(patch_sizes, mul))
        self.is_resampled = out_strides is not None
        strides = out_strides or self.stage_strides
        self.strides = tuple(strides[index] for index in self.out_indices)
        self.num_features = embed_dims[-1]
        self.frozen_stages = frozen_stages

        self.patch_embed = PatchEmbed(
            patch_sizes[0], embed_dims[0], has_norm=False, drops_remainder=True
        )
        self.stages = nn.ModuleList(
            SequencerStage(
                dim,
                depth,
                hidden_size=hidden_size,
                mlp_ratio=mlp_ratio,
                drop_path_rate=drop_path_rate,
                next_dim=next_dim,
                next_patch_size=next_patch_size,
                with_checkpoint=with_checkpoint,
            )
            for dim, depth, hidden_size, next_dim, next_patch_size in zip(
                embed_dims,
                depths,
                hidden_sizes,
                (*embed_dims[1:], None),
                (*patch_sizes[1:], None),
                strict=True,
            )
        )
        self.norms = nn.ModuleDict()
        if self.is_resampled:
            for index in self.out_indices:
                self.norms[str(index)] = nn.LayerNorm(embed_dims[index], eps=EPS)
        self.norm = nn.LayerNorm(embed_dims[-1], eps=EPS) if final_norm else nn.Identity()
        self.freeze()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the feature maps.

        Args:
            images: (B, 3, H, W), any size.

        Returns:
            One map (B, C_l, ceil(H / stride_l), ceil(W / stride_l)) per entry of `out_indices`;
            rounded down, to no less than 1, where `out_strides` is None.
        """
        size = images.shape[2:]
        if self.is_resampled:
            images = _pad_to_multiple(images, self.stage_strides[-1])
        x = self.patch_embed(images)
        maps = []
        for index, stage in enumerate(self.stages):
            before_downsample, x = stage(x)
            if index not in self.out_indices:
                continue
            if self.is_resampled:
                before_downsample = self.norms[str(index)](before_downsample)
            feature_map = as_feature_map(before_downsample)
            if self.is_resampled:
                out_stride = self.strides[len(maps)]
                feature_map = resample_map(feature_map, self.stage_strides[index], out_stride, size)
            maps.append(feature_map)
        return tuple(maps)

    def forward_tokens(self, images: Tensor) -> Tensor:
        """As the published classifier does, which drops what does not fill a patch."""
        x = self.patch_embed(images)
        for stage in self.stages:
            before_downsample, x = stage(x)
        return self.norm(before_downsample).flatten(1, 2)

    def freeze(self) -> None:
        freeze_stages(self.patch_embed, self.stages, self.norms, self.frozen_stages)

    def init_module(self, module: nn.Module) -> None:
        """Initialize as published: Glorot for linear layers, LeCun for convolutions."""
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Conv2d):
            fan_in = module.weight[0].numel()
            nn.init.trunc_normal_(module.weight, std=fan_in**-0.5 / 0.87962566103423978)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.LayerNorm | BiLSTM):
            module.reset_parameters()


def _check_lengths(depths: Sequence[int], **others: Sequence[int] | None) -> None:
    for name, values in others.items():
        if values is not None and len(values) != len(depths):
            raise UserError(
                f"Sequencer2D: {len(depths)} depths but {len(values)} {name}; give one of each per "
                "stage"
            )


def _pad_to_multiple(images: Tensor, stride: int) -> Tensor:
    """Zero-pad images: (B, 3, H, W) at the bottom and right to multiples of `stride`."""
    pad_bottom, pad_right = (-side % stride for side in images.shape[2:])
    return F.pad(images, (0, pad_right, 0, pad_bottom)) if pad_bottom or pad_right else images


class SequencerStage(nn.Module):
    """Blocks of one resolution, then a patch embedding for the next stage, if there is one."""

    def __init__(
        self,
        dim: int,
        depth: int,
        *,
        hidden_size: int,
        mlp_ratio: float,
        drop_path_rate: float,
        next_dim: int | None,
        next_patch_size: int | None,
        with_checkpoint: bool,
    ) -> None:
        super().__init__()
        self.with_checkpoint = with_checkpoint
        self.blocks = nn.ModuleList(
            SequencerBlock(dim, hidden_size, mlp_ratio=mlp_ratio, drop_path_rate=drop_path_rate)
            for _ in range(depth)
        )
        self.downsample = None
        if next_dim is not None and next_patch_size is not None:
            self.downsample = PatchEmbed(
                next_patch_size, next_dim, in_channels=dim, has_norm=False, drops_remainder=True
            )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map x: (B, H, W, C) to the stage's (B, H, W, C) and the next one's input."""
        for block in self.blocks:
            x = run_block(block, x, with_checkpoint=self.with_checkpoint)
        return x, self.downsample(x.permute(0, 3, 1, 2)) if self.downsample else x


class SequencerBlock(nn.Module):
    """LSTMs and a feed-forward network, each normalized before and added after."""

    def __init__(
        self, dim: int, hidden_size: int, *, mlp_ratio: float, drop_path_rate: float
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=EPS)
        self.rnn_tokens = BiLSTM2D(dim, hidden_size)
        self.norm2 = nn.LayerNorm(dim, eps=EPS)
        self.mlp = FeedForward(dim, int(dim * mlp_ratio))
        self.drop_path = DropPath(drop_path_rate)

    def forward(self, x: Tensor) -> Tensor:
        """Map x: (B, H, W, C) to the same shape."""
        x = x + self.drop_path(self.rnn_tokens(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))
