"""The parts backbones and detectors are built from, each in one file of its own.

Letters in shapes: B batch, C channels, H W map, N tokens, W windows where said, `num_heads` heads.
"""

from vitdet.layers.attention import attention
from vitdet.layers.drop_path import DropPath, linear_drop_path_rates
from vitdet.layers.feed_forward import FeedForward
from vitdet.layers.map_rescaling import MapRescaling
from vitdet.layers.multi_head_attention import MultiHeadAttention
from vitdet.layers.patch_embed import PatchEmbed
from vitdet.layers.patch_merging import PatchMerging
from vitdet.layers.window_attention import WindowAttention

__all__ = [
    "DropPath",
    "FeedForward",
    "MapRescaling",
    "MultiHeadAttention",
    "PatchEmbed",
    "PatchMerging",
    "WindowAttention",
    "attention",
    "linear_drop_path_rates",
]
