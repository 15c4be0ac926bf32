"""PVT v2 as mmdet publishes it."""

from vitdet.checkpoints import pvt_mmdet
from vitdet.checkpoints.layout import Converted, Layout, StateDict, rename

RENAMES = (
    *pvt_mmdet.RENAMES,
    (r"^layers\.(\d+)\.2\.", r"stages.\1.norm."),
    (r"\.ffn\.layers\.1\.", ".mlp.dwconv."),
    (r"\.ffn\.layers\.4\.", ".mlp.fc2."),
)


def recognises(state: StateDict) -> bool:
    return (
        "layers.0.0.projection.weight" in state
        and "layers.0.1.0.attn.attn.in_proj_weight" in state
        and "layers.0.1.0.ffn.layers.4.weight" in state
    )


def convert(state: StateDict) -> Converted:
    converted = rename(state, RENAMES)
    pvt_mmdet.reshape_layers(converted.state)
    return converted


LAYOUT = Layout("mmdet", recognises, convert)
