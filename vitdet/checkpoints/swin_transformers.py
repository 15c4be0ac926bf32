"""Swin as transformers publishes it: queries, keys and values are separate layers."""

from vitdet.checkpoints.layout import Converted, Layout, StateDict, join_qkv, rename
from vitdet.layers.position_embedding import tokens_to_grid

RENAMES = (
    (r"^swin\.", ""),
    (r"^classifier\.", "head."),
    (r"^layernorm\.", "norm."),
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^embeddings\.norm\.", "patch_embed.norm."),
    (r"^embeddings\.position_embeddings$", "absolute_pos_embed"),
    (r"^encoder\.layers\.", "stages."),
    (r"\.attention\.self\.(query|key|value)\.", r".attn.\1."),
    (r"\.attention\.self\.", ".attn."),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"\.output\.dense\.", ".mlp.fc2."),
    (r"^hidden_states_norms\.stage(\d+)\.", lambda match: f"norms.{int(match[1]) - 1}."),
)
IGNORED = (
    r"^(swin\.)?embeddings\.mask_token$",
    r"\.relative_position_index$",
)


def recognises(state: StateDict) -> bool:
    key = "encoder.layers.0.blocks.0.attention.self.relative_position_bias_table"
    return key in state or f"swin.{key}" in state


def convert(state: StateDict) -> Converted:
    converted = rename(state, RENAMES, IGNORED)
    renamed = converted.state
    join_qkv(renamed)
    if "absolute_pos_embed" in renamed:
        renamed["absolute_pos_embed"] = tokens_to_grid(renamed["absolute_pos_embed"])
    return converted


LAYOUT = Layout("transformers", recognises, convert)
