"""All that is known about checkpoints of the Pyramid Vision Transformer, version 1."""

from torch import Tensor

from vitdet.checkpoints import pvt_mmdet, pvt_official, pvt_transformers
from vitdet.checkpoints.layout import Converted, Family, Layout, StateDict
from vitdet.layers.position_embedding import resize_position_embedding


def _resize_position_embedding(embedding: Tensor, shape: tuple[int, ...]) -> Tensor:
    if embedding.shape[1] != shape[1]:
        raise ValueError("another number of channels")
    return resize_position_embedding(embedding, shape[2:], mode="bilinear")


def _recognises_ours(state: StateDict) -> bool:
    return "stages.0.pos_embed" in state and "stages.0.blocks.0.attn.kv.weight" in state


FAMILY = Family(
    layouts=(
        Layout("vitdet", _recognises_ours, lambda state: Converted(dict(state))),
        pvt_official.LAYOUT,
        pvt_mmdet.LAYOUT,
        pvt_transformers.LAYOUT,
    ),
    resizers={"pos_embed": _resize_position_embedding},
    optional=lambda state, key: False,
    # The class token, its position, norm and head of a classifier.
    spare=r"^stages\.\d+\.cls_(token|pos_embed)$|^norm\.|^head\.",
)
