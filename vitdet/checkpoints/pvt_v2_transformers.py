"""PVT v2 as transformers publishes it: queries, keys and values are separate layers."""

from vitdet.checkpoints.layout import Converted, Layout, StateDict, rename
from vitdet.checkpoints.pvt_transformers import BLOCK_RENAMES, join_keys_and_values

RENAMES = (
    (r"^(?:pvt_v2\.)?encoder\.layers\.", "stages."),
    (r"\.patch_embedding\.", ".patch_embed."),
    (r"\.attention\.", ".attn."),
    (r"\.dwconv\.dwconv\.", ".dwconv."),
    *BLOCK_RENAMES,
)


def recognises(state: StateDict) -> bool:
    key = "encoder.layers.0.blocks.0.mlp.dwconv.dwconv.weight"
    return key in state or f"pvt_v2.{key}" in state


def convert(state: StateDict) -> Converted:
    converted = rename(state, RENAMES)
    join_keys_and_values(converted.state)
    return converted


LAYOUT = Layout("transformers", recognises, convert)
