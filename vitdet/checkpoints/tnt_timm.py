"""TNT as timm publishes it. Its "legacy" models are another network."""

from vitdet.checkpoints.layout import Converted, Layout, StateDict, rename
from vitdet.checkpoints.tnt_official import join_values
from vitdet.checkpoints.vit_official import part_positions

RENAMES = (
    (r"^model\.", ""),  # of `features_only` models
    (r"^patch_pos$", "pos_embed"),
    (r"^pixel_pos$", "pixel_pos_embed"),
    (r"(^|\.)norm(\d)_proj\.", r"\1to_outer.norm\2."),
    (r"^(blocks\.\d+\.)?proj\.", r"\1to_outer.proj."),
    (r"\.norm_in\.", ".inner.norm1."),
    (r"\.norm_mlp_in\.", ".inner.norm2."),
    (r"\.(attn|mlp)_in\.", r".inner.\1."),
    (r"\.norm_out\.", ".outer.norm1."),
    (r"\.norm_mlp\.", ".outer.norm2."),
    (r"\.attn_out\.", ".outer.attn."),
    (r"^(blocks\.\d+)\.mlp\.", r"\1.outer.mlp."),
)


def recognises(state: StateDict) -> bool:
    key = "blocks.0.attn_in.qk.weight"
    return key in state or f"model.{key}" in state


def convert(state: StateDict) -> Converted:
    converted = rename(state, RENAMES, ["(?!)"])
    join_values(converted.state)
    part_positions(converted)
    pixels = converted.state.get("pixel_pos_embed")
    if pixels is not None and pixels.ndim == 4:
        converted.state["pixel_pos_embed"] = pixels.flatten(2).transpose(1, 2)
    return converted


LAYOUT = Layout("timm", recognises, convert)
