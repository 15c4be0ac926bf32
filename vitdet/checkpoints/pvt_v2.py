"""All that is known about checkpoints of the Pyramid Vision Transformer, version 2."""

from vitdet.checkpoints import pvt_v2_mmdet, pvt_v2_official, pvt_v2_timm, pvt_v2_transformers
from vitdet.checkpoints.layout import Converted, Family, Layout, StateDict


def _recognises_ours(state: StateDict) -> bool:
    return (
        "stages.0.patch_embed.proj.weight" in state
        and "stages.0.blocks.0.mlp.dwconv.weight" in state
    )


FAMILY = Family(
    layouts=(
        Layout("vitdet", _recognises_ours, lambda state: Converted(dict(state))),
        pvt_v2_official.LAYOUT,
        pvt_v2_timm.LAYOUT,
        pvt_v2_mmdet.LAYOUT,
        pvt_v2_transformers.LAYOUT,
    ),
    resizers={},
    optional=lambda state, key: False,
    spare=r"^head\.",
)
