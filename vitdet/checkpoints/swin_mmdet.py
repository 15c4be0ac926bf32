"""Swin as mmdet, mmsegmentation and mmpretrain publish it."""

from torch import Tensor

from vitdet.checkpoints.layout import Converted, Layout, StateDict, rename
from vitdet.checkpoints.swin_official import IGNORED

RENAMES = (
    (r"^patch_embed\.projection\.", "patch_embed.proj."),
    (r"\.attn\.w_msa\.", ".attn."),
    (r"\.ffn\.layers\.0\.0\.", ".mlp.fc1."),
    (r"\.ffn\.layers\.1\.", ".mlp.fc2."),
    (r"^norm(\d+)\.", r"norms.\1."),
)


def recognises(state: StateDict) -> bool:
    return "stages.0.blocks.0.attn.w_msa.relative_position_bias_table" in state


def convert(state: StateDict) -> Converted:
    converted = rename(state, RENAMES, IGNORED)
    for key, tensor in converted.state.items():
        if ".downsample." in key:
            converted.state[key] = _reorder_neighbours(tensor)
    return converted


def _reorder_neighbours(merged: Tensor) -> Tensor:
    """Bring the 4C channels of a patch merging, merged: (..., 4C), into the order of the paper.

    `nn.Unfold` orders them (C, row, column); the paper's code (column, row, C).
    """
    return merged.unflatten(-1, (-1, 2, 2)).transpose(-1, -3).flatten(-3)


LAYOUT = Layout("mmdet", recognises, convert)
