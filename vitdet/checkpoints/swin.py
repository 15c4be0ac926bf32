"""All that is known about checkpoints of the Swin Transformer."""

import re

from torch import Tensor

from vitdet.checkpoints import swin_mmdet, swin_official, swin_timm, swin_transformers
from vitdet.checkpoints.layout import Converted, Family, Layout, StateDict
from vitdet.layers.position_embedding import resize_position_embedding
from vitdet.layers.relative_position import resize_relative_position_table

OUTPUT_NORM = re.compile(r"^norms\.(\d+)\.")


def _resize_bias_table(table: Tensor, shape: tuple[int, ...]) -> Tensor:
    if table.shape[1:] != shape[1:]:
        raise ValueError("another number of heads")
    return resize_relative_position_table(table, (round(shape[0] ** 0.5) + 1) // 2)


def _resize_absolute_embedding(embedding: Tensor, shape: tuple[int, ...]) -> Tensor:
    if embedding.shape[1] != shape[1]:
        raise ValueError("another number of channels")
    return resize_position_embedding(embedding, shape[2:])


def output_norm_may_stay_fresh(state: StateDict, key: str) -> bool:
    """Output norms belong to detection: a classification file has none, or the last one."""
    stages = {key.split(".")[1] for key in state if key.startswith("stages.")}
    norms = {match[1] for match in map(OUTPUT_NORM.match, state) if match}
    return OUTPUT_NORM.match(key) is not None and norms <= {max(stages, default="")}


FAMILY = Family(
    layouts=(
        Layout(
            "vitdet",
            lambda state: (
                "stages.0.blocks.0.attn.relative_position_bias_table" in state
                and "stages.0.blocks.0.pool_layers.0.weight" not in state
            ),
            lambda state: Converted(dict(state)),
        ),
        swin_official.LAYOUT,
        swin_timm.LAYOUT,
        swin_mmdet.LAYOUT,
        swin_transformers.LAYOUT,
    ),
    resizers={
        "relative_position_bias_table": _resize_bias_table,
        "absolute_pos_embed": _resize_absolute_embedding,
    },
    optional=output_norm_may_stay_fresh,
    # Output norms of stages that the model does not return; the norm and head of a classifier.
    spare=r"^norms\.\d+\.|^norm\.|^head\.",
)
