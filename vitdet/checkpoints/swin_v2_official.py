"""Swin v2 as its authors publish it."""

from vitdet.checkpoints.layout import Converted, Layout, StateDict, rename

# What models compute by themselves.
IGNORED = (r"\.relative_coords_table$", r"\.relative_position_index$", r"\.attn_mask$")


def recognises(state: StateDict) -> bool:
    return "layers.0.blocks.0.attn.cpb_mlp.0.weight" in state and (
        "layers.0.downsample.reduction.weight" in state
        or "layers.1.downsample.reduction.weight" not in state
    )


def convert(state: StateDict) -> Converted:
    return rename(state, [(r"^layers\.", "stages."), (r"^norm(\d+)\.", r"norms.\1.")], IGNORED)


LAYOUT = Layout("official", recognises, convert)
