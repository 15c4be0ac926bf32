"""All that is known about checkpoints of the Vision Transformer, DeiT and ViTDet's backbone."""

import re

from torch import Tensor

from vitdet.checkpoints import vit_flax, vit_mmpretrain, vit_official, vit_transformers
from vitdet.checkpoints.layout import Converted, Family, Layout, StateDict
from vitdet.layers.decomposed_position import resize_axis_table
from vitdet.layers.patch_kernel import resize_patch_kernel
from vitdet.layers.position_embedding import resize_position_embedding

# Parts that detection adds to what was pre-trained.
ADDED = (re.compile(r"^rescalings\."), re.compile(r"\.rel_pos_[hw]$"))


def recognises(state: StateDict) -> bool:
    """Our positions are a grid; theirs, under the same name, a sequence."""
    has_block = "blocks.0.attn.qkv.weight" in state
    return has_block and "pos_embed" in state and state["pos_embed"].ndim == 4


def resize_positions(positions: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Resize a grid; a sequence that is no square is laid out if it has the length wanted."""
    if positions.ndim == 3 and positions.shape[1:] == (shape[2] * shape[3], shape[1]):
        return positions.transpose(1, 2).unflatten(2, shape[2:])
    if positions.ndim != 4 or positions.shape[1] != shape[1]:
        raise ValueError("another number of channels, or positions of unknown sides")
    return resize_position_embedding(positions, shape[2:])


def _resize_relative_positions(table: Tensor, shape: tuple[int, ...]) -> Tensor:
    if table.shape[1] != shape[1]:
        raise ValueError("another number of channels")
    return resize_axis_table(table, shape[0])


def _resize_kernel(weight: Tensor, shape: tuple[int, ...]) -> Tensor:
    if weight.shape[:2] != shape[:2]:
        raise ValueError("another number of channels")
    return resize_patch_kernel(weight, shape[2])


def _may_stay_fresh(state: StateDict, key: str) -> bool:
    """What detection adds may be missing, but not half of it."""
    return any(
        part.search(key) and not any(part.search(theirs) for theirs in state) for part in ADDED
    )


FAMILY = Family(
    layouts=(
        Layout("vitdet", recognises, lambda state: Converted(dict(state))),
        vit_official.LAYOUT,
        vit_transformers.LAYOUT,
        vit_flax.LAYOUT,
        vit_mmpretrain.LAYOUT,
    ),
    resizers={
        "pos_embed": resize_positions,
        "rel_pos_h": _resize_relative_positions,
        "rel_pos_w": _resize_relative_positions,
        "patch_embed.proj.weight": _resize_kernel,
    },
    optional=_may_stay_fresh,
    # The tokens, where the model keeps a map; maps that are not returned; norm and heads of a
    # classifier.
    spare=r"^(cls_token|dist_token|token_pos_embed)$"
    r"|^(rescalings|norm|fc_norm|pre_logits|head|head_dist)\.",
)
