"""Swin v2 as timm publishes it: patch merging opens a stage there, and closes the one before here.

Its "cr" models are another network.
"""

from vitdet.checkpoints.layout import Converted, Layout, StateDict, rename
from vitdet.checkpoints.swin_timm import RENAMES
from vitdet.checkpoints.swin_v2_official import IGNORED


def recognises(state: StateDict) -> bool:
    """Classification models count `layers.0`, `features_only` ones `layers_0`."""
    return "layers_0.blocks.0.attn.cpb_mlp.0.weight" in state or (
        "layers.0.blocks.0.attn.cpb_mlp.0.weight" in state
        and "layers.0.downsample.reduction.weight" not in state
        and "layers.1.downsample.reduction.weight" in state
    )


def convert(state: StateDict) -> Converted:
    return rename(state, RENAMES, IGNORED)


LAYOUT = Layout("timm", recognises, convert)
