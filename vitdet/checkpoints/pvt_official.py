"""PVT as its authors publish it, in their classification, detection and segmentation code."""

from torch import Tensor

from vitdet.checkpoints.layout import Converted, Layout, StateDict, rename
from vitdet.layers.position_embedding import tokens_to_grid

RENAMES = (
    (r"^(patch|pos)_embed(\d+)", lambda match: f"stages.{int(match[2]) - 1}.{match[1]}_embed"),
    (r"^block(\d+)\.", lambda match: f"stages.{int(match[1]) - 1}.blocks."),
)


def recognises(state: StateDict) -> bool:
    return "patch_embed1.proj.weight" in state and "pos_embed1" in state


def convert(state: StateDict) -> Converted:
    converted = rename(state, RENAMES)
    lay_out_positions(converted.state)
    return converted


def lay_out_positions(state: dict[str, Tensor]) -> None:
    """Bring position embeddings, (1, N, C), onto grids, (1, C, H, W), in place.

    Where one begins with a class token's (N is no square then), that is set apart, and the class
    token goes to the same stage. Detection files have the one but not the other.
    """
    for key in [key for key in state if key.endswith(".pos_embed")]:
        embedding = state[key]
        if round(embedding.shape[1] ** 0.5) ** 2 != embedding.shape[1]:
            stage = key.removesuffix("pos_embed")
            state[f"{stage}cls_pos_embed"] = embedding[:, :1]
            if "cls_token" in state:
                state[f"{stage}cls_token"] = state.pop("cls_token")
            embedding = embedding[:, 1:]
        state[key] = tokens_to_grid(embedding)


LAYOUT = Layout("official", recognises, convert)
