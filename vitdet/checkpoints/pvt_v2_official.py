"""PVT v2 as its authors publish it, in their classification and detection code."""

from vitdet.checkpoints.layout import Converted, Layout, StateDict, rename
from vitdet.checkpoints.pvt_official import RENAMES


def recognises(state: StateDict) -> bool:
    return "patch_embed1.proj.weight" in state and "block1.0.mlp.dwconv.dwconv.weight" in state


def convert(state: StateDict) -> Converted:
    renames = [
        *RENAMES,
        (r"^norm(\d+)\.", lambda match: f"stages.{int(match[1]) - 1}.norm."),
        (r"\.dwconv\.dwconv\.", ".dwconv."),
    ]
    return rename(state, renames)


LAYOUT = Layout("official", recognises, convert)
