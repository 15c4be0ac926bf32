"""PVT as transformers publishes it: queries, keys and values are separate layers."""

import torch
from torch import Tensor

from vitdet.checkpoints.layout import Converted, Layout, StateDict, rename
from vitdet.checkpoints.pvt_official import lay_out_positions

# What version 2 shares.
BLOCK_RENAMES = (
    (r"\.layer_norm_(\d)\.", r".norm\1."),
    (r"\.mlp\.dense(\d)\.", r".mlp.fc\1."),
    (r"\.attn\.query\.", ".attn.q."),
    (r"\.attn\.(?:sequence|spatial)_reduction\.", ".attn.sr."),
    (r"\.layer_norm\.", ".norm."),
    (r"^classifier\.", "head."),
)
RENAMES = (
    (r"^(?:pvt\.)?encoder\.", ""),
    (r"^layer_norm\.", "norm."),
    (r"^patch_embeddings\.(\d+)\.position_embeddings$", r"stages.\1.pos_embed"),
    (r"^patch_embeddings\.(\d+)\.cls_token$", "cls_token"),
    (r"^patch_embeddings\.(\d+)\.projection\.", r"stages.\1.patch_embed.proj."),
    (r"^patch_embeddings\.(\d+)\.", r"stages.\1.patch_embed."),
    (r"^block\.(\d+)\.", r"stages.\1.blocks."),
    (r"\.attention\.self\.", ".attn."),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    *BLOCK_RENAMES,
)


def recognises(state: StateDict) -> bool:
    key = "encoder.patch_embeddings.0.position_embeddings"
    return key in state or f"pvt.{key}" in state


def convert(state: StateDict) -> Converted:
    converted = rename(state, RENAMES)
    join_keys_and_values(converted.state)
    lay_out_positions(converted.state)
    return converted


def join_keys_and_values(state: dict[str, Tensor]) -> None:
    """Make one layer of each two, in place."""
    for key in [key for key in state if ".attn.key." in key]:
        value = key.replace(".key.", ".value.")
        if value in state:
            state[key.replace(".key.", ".kv.")] = torch.cat([state.pop(key), state.pop(value)])


LAYOUT = Layout("transformers", recognises, convert)
