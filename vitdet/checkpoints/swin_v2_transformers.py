"""Swin v2 as transformers publishes it: queries, keys and values are separate layers."""

from vitdet.checkpoints.layout import Converted, Layout, StateDict, join_qkv, rename
from vitdet.checkpoints.swin_transformers import RENAMES as SWIN_RENAMES

RENAMES = (
    (r"^swinv2\.", ""),
    *SWIN_RENAMES,
    (r"\.attn\.(query|value)\.bias$", lambda match: f".attn.{match[1][0]}_bias"),
    (r"\.attn\.continuous_position_bias_mlp\.", ".attn.cpb_mlp."),
)
IGNORED = (
    r"^(swinv2\.)?embeddings\.mask_token$",
    r"\.relative_coords_table$",
    r"\.relative_position_index$",
    r"^decoder\.",  # of masked image modelling
)


def recognises(state: StateDict) -> bool:
    key = "encoder.layers.0.blocks.0.attention.self.continuous_position_bias_mlp.0.weight"
    return key in state or f"swinv2.{key}" in state


def convert(state: StateDict) -> Converted:
    converted = rename(state, RENAMES, IGNORED)
    join_qkv(converted.state)
    return converted


LAYOUT = Layout("transformers", recognises, convert)
