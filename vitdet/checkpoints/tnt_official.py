"""TNT as its authors publish it: queries and keys are one layer, values another."""

import torch

from vitdet.checkpoints.layout import Converted, Layout, StateDict, rename
from vitdet.checkpoints.vit_official import part_positions

RENAMES = (
    (r"^outer_pos$", "pos_embed"),
    (r"^inner_pos$", "pixel_pos_embed"),
    (r"^patch_embed\.", "pixel_embed."),
    (r"(^|\.)proj_norm(\d)\.", r"\1to_outer.norm\2."),
    (r"^(blocks\.\d+\.)?proj\.", r"\1to_outer.proj."),
    (r"\.(inner|outer)_(attn|mlp|norm\d)\.", r".\1.\2."),
)
IGNORED = (r"^outer_tokens$",)  # a parameter that their model does not read


def recognises(state: StateDict) -> bool:
    return "blocks.0.inner_attn.qk.weight" in state


def convert(state: StateDict) -> Converted:
    converted = rename(state, RENAMES, IGNORED)
    join_values(converted.state)
    part_positions(converted)
    return converted


def join_values(state: dict[str, torch.Tensor]) -> None:
    """Join, in place, `attn.qk.*` and `attn.v.*` to our `attn.qkv.*`."""
    for key in [key for key in state if ".attn.qk." in key]:
        values = key.replace(".qk.", ".v.")
        if values in state:
            joined = torch.cat([state.pop(key), state.pop(values)])
            state[key.replace(".qk.", ".qkv.")] = joined


LAYOUT = Layout("official", recognises, convert)
