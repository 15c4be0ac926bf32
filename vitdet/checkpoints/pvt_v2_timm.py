"""PVT v2 as timm publishes it."""

from vitdet.checkpoints.layout import Converted, Layout, StateDict, rename

RENAMES = (
    (r"^patch_embed\.", "stages.0.patch_embed."),
    (r"^stages_", "stages."),
    (r"^stages\.(\d+)\.downsample\.", r"stages.\1.patch_embed."),
)


def recognises(state: StateDict) -> bool:
    """Classification models count `stages.0`, `features_only` ones `stages_0`."""
    return "patch_embed.proj.weight" in state and (
        "stages.0.blocks.0.mlp.dwconv.weight" in state
        or "stages_0.blocks.0.mlp.dwconv.weight" in state
    )


def convert(state: StateDict) -> Converted:
    return rename(state, RENAMES)


LAYOUT = Layout("timm", recognises, convert)
