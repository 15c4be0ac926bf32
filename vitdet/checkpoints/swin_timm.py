"""Swin as timm publishes it: patch merging opens a stage there, and closes the one before here."""

import re

from vitdet.checkpoints.layout import Converted, Layout, StateDict, rename
from vitdet.checkpoints.swin_official import IGNORED


def recognises(state: StateDict) -> bool:
    """Classification models count `layers.0`, `features_only` ones `layers_0`."""
    return "layers_0.blocks.0.attn.qkv.weight" in state or (
        "layers.0.blocks.0.attn.qkv.weight" in state
        and "layers.0.downsample.reduction.weight" not in state
        and "layers.1.downsample.reduction.weight" in state
    )


def convert(state: StateDict) -> Converted:
    def previous_stage(match: re.Match[str]) -> str:
        return f"stages.{int(match[1]) - 1}.downsample."

    renames = [
        (r"^layers[._](\d+)\.downsample\.", previous_stage),
        (r"^layers[._]", "stages."),
        (r"^head\.fc\.", "head."),
    ]
    return rename(state, renames, IGNORED)


LAYOUT = Layout("timm", recognises, convert)
