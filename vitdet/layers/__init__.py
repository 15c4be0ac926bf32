"""The parts backbones and detectors are built from, each in one file of its own.

Letters in shapes: B batch, C channels, H W map, N tokens, W windows where said, `num_heads` heads.
"""

from vitdet.layers.attention import attention
from vitdet.layers.conv_feed_forward import ConvFeedForward
from vitdet.layers.cosine_window_attention import CosineWindowAttention
from vitdet.layers.drop_path import DropPath, linear_drop_path_rates
from vitdet.layers.feed_forward import FeedForward
from vitdet.layers.layer_norm import LayerNorm2d
from vitdet.layers.map_attention import MapAttention
from vitdet.layers.map_rescaling import MapRescaling
from vitdet.layers.multi_head_attention import MultiHeadAttention
from vitdet.layers.overlapping_patch_embed import OverlappingPatchEmbed
from vitdet.layers.patch_embed import PatchEmbed
from vitdet.layers.patch_merging import PatchMerging
from vitdet.layers.self_attention import SelfAttention
from vitdet.layers.spatial_reduction_attention import SpatialReductionAttention
from vitdet.layers.window_attention import WindowAttention

__all__ = [
    "ConvFeedForward",
    "CosineWindowAttention",
    "DropPath",
    "FeedForward",
    "LayerNorm2d",
    "MapAttention",
    "MapRescaling",
    "MultiHeadAttention",
    "OverlappingPatchEmbed",
    "PatchEmbed",
    "PatchMerging",
    "SelfAttention",
    "SpatialReductionAttention",
    "WindowAttention",
    "attention",
    "linear_drop_path_rates",
]
