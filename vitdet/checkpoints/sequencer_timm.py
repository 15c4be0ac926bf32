"""Sequencer2D as timm publishes it: the way to a stage opens it, and closes the one before here."""

import re

from vitdet.checkpoints.layout import Converted, Layout, StateDict, rename


def recognises(state: StateDict) -> bool:
    """Classification models count `stages.0`, `features_only` ones `stages_0`."""
    return "stem.proj.weight" in state and any(
        f"{stage}.blocks.0.rnn_tokens.rnn_v.weight_ih_l0" in state
        for stage in ("stages.0", "stages_0")
    )


def convert(state: StateDict) -> Converted:
    def previous_stage(match: re.Match[str]) -> str:
        return f"stages.{int(match[1]) - 1}.downsample.proj."

    renames = [
        (r"^stem\.", "patch_embed."),
        (r"^stages[._](\d+)\.downsample\.down\.", previous_stage),
        (r"^stages_", "stages."),
        (r"\.mlp_channels\.", ".mlp."),
        (r"^head\.fc\.", "head."),
    ]
    return rename(state, renames)


LAYOUT = Layout("timm", recognises, convert)
