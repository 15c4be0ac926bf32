"""ViT and DeiT as transformers publishes them, with separate queries, keys and values; and its
`VitDet`, which has them joined."""

from vitdet.checkpoints.layout import Converted, Layout, StateDict, join_qkv, rename
from vitdet.checkpoints.vit_official import part_positions

PREFIXES = ("", "vit.", "deit.")
RENAMES = (
    (r"^(vit|deit)\.", ""),
    (r"^(cls_)?classifier\.", "head."),
    (r"^distillation_classifier\.", "head_dist."),
    (r"^layernorm\.", "norm."),
    (r"^embeddings\.(patch_embeddings\.)?projection\.", "patch_embed.proj."),
    (r"^embeddings\.position_embeddings$", "pos_embed"),
    (r"^embeddings\.cls_token$", "cls_token"),
    (r"^embeddings\.distillation_token$", "dist_token"),
    (r"^encoder\.layer\.", "blocks."),
    (r"\.attention\.attention\.", ".attn."),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    (r"\.attention\.", ".attn."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"\.output\.dense\.", ".mlp.fc2."),
)
# What images are reconstructed with in pre-training, and the layer over the class token there.
IGNORED = (r"^(\w+\.)?embeddings\.mask_token$", r"^decoder\.", r"^(\w+\.)?pooler\.")


def recognises(state: StateDict) -> bool:
    """YOLOS, whose tokens for detections these names are shared with, is another model."""
    has_blocks = any(
        f"{prefix}encoder.layer.0.attention.attention.query.weight" in state
        and f"{prefix}embeddings.cls_token" in state
        and f"{prefix}embeddings.position_embeddings" in state
        and f"{prefix}embeddings.detection_tokens" not in state
        for prefix in PREFIXES
    )
    return has_blocks or (
        "encoder.layer.0.attention.qkv.weight" in state
        and "embeddings.position_embeddings" in state
    )


def convert(state: StateDict) -> Converted:
    converted = rename(state, RENAMES, IGNORED)
    join_qkv(converted.state)
    part_positions(converted)
    return converted


LAYOUT = Layout("transformers", recognises, convert)
