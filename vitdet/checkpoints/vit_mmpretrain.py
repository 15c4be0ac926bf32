"""ViT as mmpretrain publishes it, and mmsegmentation, which wraps attention once more."""

from vitdet.checkpoints.layout import Converted, Layout, StateDict, rename
from vitdet.checkpoints.vit_official import part_positions

RENAMES = (
    (r"^backbone\.", ""),
    (r"^head\.layers\.", ""),
    (r"^patch_embed\.projection\.", "patch_embed.proj."),
    (r"^ln1\.", "norm."),
    (r"^layers\.", "blocks."),
    (r"\.ln(\d)\.", r".norm\1."),
    (r"\.attn\.attn\.in_proj_", ".attn.qkv."),
    (r"\.attn\.attn\.out_proj\.", ".attn.proj."),
    (r"\.ffn\.layers\.0\.0\.", ".mlp.fc1."),
    (r"\.ffn\.layers\.1\.", ".mlp.fc2."),
)
IGNORED = (r"^decode_head\.", r"^auxiliary_head\.")


def recognises(state: StateDict) -> bool:
    """A whole classifier, or the backbone's part of one."""
    return any(
        f"{prefix}layers.0.ln1.weight" in state
        and f"{prefix}layers.0.ffn.layers.0.0.weight" in state
        and f"{prefix}pos_embed" in state
        for prefix in ("", "backbone.")
    )


def convert(state: StateDict) -> Converted:
    converted = rename(state, RENAMES, IGNORED)
    part_positions(converted)
    return converted


LAYOUT = Layout("mmpretrain", recognises, convert)
