"""DETR as transformers publishes it: queries, keys and values are separate layers.

Files keep the first names of some parts, models of transformers 5 have others in memory.
"""

import torch

from vitdet.checkpoints.detr_official import MASK_HEAD_RENAMES
from vitdet.checkpoints.layout import Converted, Layout, StateDict, rename

KEY = "model.decoder.layers.0.encoder_attn.q_proj.weight"
RENAMES = (
    (r"^detr\.", ""),
    (r"^model\.", ""),
    (r"^backbone\.(?:conv_encoder\.)?model\.", "backbone."),
    (r"^backbone\.position_embedding\.row_embeddings\.weight$", "positions.row_embed"),
    (r"^backbone\.position_embedding\.column_embeddings\.weight$", "positions.col_embed"),
    (r"^(encoder|decoder)\.layers\.", r"transformer.\1.layers."),
    (r"^decoder\.layernorm\.", "transformer.decoder.norm."),
    (r"\.encoder_attn\.", ".cross_attn."),
    (r"\.(self_attn|cross_attn)\.(?:out|o)_proj\.", r".\1.proj."),
    (r"(?<!\.mlp)\.fc([12])\.", r".mlp.fc\1."),
    (r"\.self_attn_layer_norm\.", ".norm1."),
    (r"\.encoder_attn_layer_norm\.", ".norm2."),
    (r"(\.encoder\.layers\.\d+)\.final_layer_norm\.", r"\1.norm2."),
    (r"(\.decoder\.layers\.\d+)\.final_layer_norm\.", r"\1.norm3."),
    (r"^query_position_embeddings\.", "query_embed."),
    (r"^input_projection\.", "input_proj."),
    (r"^class_labels_classifier\.", "class_embed."),
    (r"^bbox_predictor\.", "bbox_embed."),
    *MASK_HEAD_RENAMES,
)


def recognises(state: StateDict) -> bool:
    return KEY in state or f"detr.{KEY}" in state


def convert(state: StateDict) -> Converted:
    converted = rename(state, RENAMES, ignored=[r"\.num_batches_tracked$"])
    renamed = converted.state
    for query_key in [key for key in renamed if "_attn.q_proj." in key]:
        keys = [query_key.replace(".q_proj.", f".{part}_proj.") for part in "qkv"]
        if all(key in renamed for key in keys):
            joined = torch.cat([renamed.pop(key) for key in keys])
            renamed[query_key.replace(".q_proj.", ".qkv.")] = joined
    return converted


LAYOUT = Layout("transformers", recognises, convert)
