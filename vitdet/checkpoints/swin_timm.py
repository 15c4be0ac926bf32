"""Swin as timm publishes it: patch merging opens a stage there, and closes the one before here."""

from vitdet.checkpoints.layout import Converted, Layout, StateDict, rename
from vitdet.checkpoints.swin_official import IGNORED

RENAMES = (
    (
        r"^layers[._](\d+)\.downsample\.",
        lambda match: f"stages.{int(match[1]) - 1}.downsample.",
    ),
    (r"^layers[._]", "stages."),
    (r"^head\.fc\.", "head."),
)


def recognises(state: StateDict) -> bool:
    """Classification models count `layers.0`, `features_only` ones `layers_0`."""
    return "layers_0.blocks.0.attn.relative_position_bias_table" in state or (
        "layers.0.blocks.0.attn.relative_position_bias_table" in state
        and "layers.0.downsample.reduction.weight" not in state
        and "layers.1.downsample.reduction.weight" in state
    )


def convert(state: StateDict) -> Converted:
    return rename(state, RENAMES, IGNORED)


LAYOUT = Layout("timm", recognises, convert)
