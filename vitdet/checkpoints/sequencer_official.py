"""Sequencer2D as its authors publish it: a stage's last element is the way to the next stage."""

from vitdet.checkpoints.layout import Converted, Layout, StateDict, rename

RENAMES = (
    (r"^stem\.", "patch_embed."),
    (r"^blocks\.(\d+)\.\d+\.down\.", r"stages.\1.downsample.proj."),
    (r"^blocks\.(\d+)\.(\d+)\.", r"stages.\1.blocks.\2."),
    (r"\.mlp_channels\.", ".mlp."),
)


def recognises(state: StateDict) -> bool:
    return "blocks.0.0.rnn_tokens.rnn_v.weight_ih_l0" in state


def convert(state: StateDict) -> Converted:
    return rename(state, RENAMES)


LAYOUT = Layout("official", recognises, convert)
