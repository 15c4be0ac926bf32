"""Swin as its authors publish it, in their classification, detection and segmentation code."""

from vitdet.checkpoints.layout import Converted, Layout, StateDict, rename
from vitdet.layers.position_embedding import tokens_to_grid

# What models compute by themselves.
IGNORED = (r"\.relative_position_index$", r"\.attn_mask$")


def recognises(state: StateDict) -> bool:
    """The Focal Transformer, made from Swin's code, has linear layers that pool, in every block."""
    return (
        "layers.0.blocks.0.attn.relative_position_bias_table" in state
        and "layers.0.blocks.0.pool_layers.0.weight" not in state
        and (
            "layers.0.downsample.reduction.weight" in state
            or "layers.1.downsample.reduction.weight" not in state
        )
    )


def convert(state: StateDict) -> Converted:
    renames = [(r"^layers\.", "stages."), (r"^norm(\d+)\.", r"norms.\1.")]
    converted = rename(state, renames, IGNORED)
    embedding = converted.state.get("absolute_pos_embed")
    if embedding is not None and embedding.ndim == 3:  # the classification models'
        converted.state["absolute_pos_embed"] = tokens_to_grid(embedding)
    return converted


LAYOUT = Layout("official", recognises, convert)
