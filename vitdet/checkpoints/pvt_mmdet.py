"""PVT as mmdet publishes it: three entries per stage, of which the second holds the blocks."""

import re

from torch import Tensor

from vitdet.checkpoints.layout import Converted, Layout, StateDict, rename
from vitdet.checkpoints.pvt_official import lay_out_positions

# What version 2 shares.
RENAMES = (
    (r"^layers\.(\d+)\.0\.projection\.", r"stages.\1.patch_embed.proj."),
    (r"^layers\.(\d+)\.0\.norm\.", r"stages.\1.patch_embed.norm."),
    (r"^layers\.(\d+)\.1\.", r"stages.\1.blocks."),
    (r"\.attn\.attn\.out_proj\.", ".attn.proj."),
    (r"\.ffn\.layers\.0\.", ".mlp.fc1."),
)


def recognises(state: StateDict) -> bool:
    return "layers.0.1.0.pos_embed" in state and "layers.0.0.projection.weight" in state


def convert(state: StateDict) -> Converted:
    def previous_block(match: re.Match[str]) -> str:
        """The first entry among the blocks is the position embedding."""
        return f"stages.{match[1]}.blocks.{int(match[2]) - 1}."

    renames = [
        (r"^layers\.(\d+)\.1\.0\.pos_embed$", r"stages.\1.pos_embed"),
        (r"^layers\.(\d+)\.1\.(\d+)\.", previous_block),
        *RENAMES,
        (r"\.ffn\.layers\.3\.", ".mlp.fc2."),
    ]
    converted = rename(state, renames)
    reshape_layers(converted.state)
    lay_out_positions(converted.state)
    return converted


def reshape_layers(state: dict[str, Tensor]) -> None:
    """Part the joint projection, and make linear layers of 1x1 convolutions, in place."""
    for key in list(state):
        if ".attn.attn.in_proj_" in key:
            joint = state.pop(key)
            dim = joint.shape[0] // 3
            state[key.replace(".attn.in_proj_", ".q.")] = joint[:dim]
            state[key.replace(".attn.in_proj_", ".kv.")] = joint[dim:]
        elif key.endswith((".mlp.fc1.weight", ".mlp.fc2.weight")):
            state[key] = state[key].flatten(1)


LAYOUT = Layout("mmdet", recognises, convert)
