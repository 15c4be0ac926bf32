"""YOLOS as its authors publish it: a ViT whose positions end in those of the detection tokens."""

import torch

from vitdet.checkpoints.layout import Converted, Layout, StateDict


def recognises(state: StateDict) -> bool:
    return "backbone.det_token" in state and "backbone.pos_embed" in state


def convert(state: StateDict) -> Converted:
    return part_positions(dict(state), "backbone.pos_embed", "backbone.mid_pos_embed")


def part_positions(state: dict[str, torch.Tensor], first: str, mid: str) -> Converted:
    """Take the detection tokens and their positions out of the backbone's part.

    Args:
        state: with the tokens as `backbone.det_token`: (1, Q, C).
        first: key of the first block's positions, (1, N, C): class, patches, detection.
        mid: key of those of the other blocks, (depth - 1, 1, N, C), if there are any.
    """
    state["det_token"] = state.pop("backbone.det_token")
    num_queries = state["det_token"].shape[1]
    state["det_pos_embed"] = state[first][:, -num_queries:]
    state[first] = state[first][:, :-num_queries]
    if mid in state:
        positions = state.pop(mid).squeeze(1)
        state["mid_token_pos_embed"] = torch.cat([positions[:, :1], positions[:, -num_queries:]], 1)
        state["mid_pos_embed"] = positions[:, 1:-num_queries]
    return Converted(state)


LAYOUT = Layout("official", recognises, convert)
"""The backbone's keys are left in ViT's official layout."""
