"""ViT as DeiT, MAE and timm publish it, and the backbone of ViTDet: one set of names for all."""

import math

from vitdet.checkpoints.layout import Converted, Layout, StateDict, rename
from vitdet.layers.position_embedding import tokens_to_grid

PREFIXES = ("", "net.", "model.")  # as published, in ViTDet's detectors, timm's `features_only`
# What MAE reconstructs images with; the neck of ViTDet's detectors.
IGNORED = (r"^decoder_", r"^mask_token$", r"^simfp_")


def recognises(state: StateDict) -> bool:
    """YOLOS, whose tokens for detections these names are shared with, is another model."""
    return "det_token" not in state and any(
        f"{prefix}blocks.0.attn.qkv.weight" in state
        and f"{prefix}pos_embed" in state
        and state[f"{prefix}pos_embed"].ndim == 3
        for prefix in PREFIXES
    )


def convert(state: StateDict) -> Converted:
    converted = rename(state, [(r"^(net|model)\.", "")], IGNORED)
    part_positions(converted)
    return converted


def part_positions(converted: Converted) -> None:
    """Part the published positions of tokens and patches, `pos_embed`: (1, N, C), in place.

    Those of the patches become a grid if they fit a square, as all that are published do. Where
    the tokens themselves are missing, as in ViTDet's files, what is over a square was theirs.
    """
    state = converted.state
    positions = state.pop("pos_embed")
    num_tokens = sum(name in state for name in ("cls_token", "dist_token"))
    if not num_tokens:
        num_tokens = positions.shape[1] - math.isqrt(positions.shape[1]) ** 2
        num_tokens = num_tokens if num_tokens <= 2 else 0
    if num_tokens:
        state["token_pos_embed"] = positions[:, :num_tokens]
    patches = positions[:, num_tokens:]
    is_square = math.isqrt(patches.shape[1]) ** 2 == patches.shape[1]
    state["pos_embed"] = tokens_to_grid(patches) if is_square else patches


LAYOUT = Layout("official", recognises, convert)
