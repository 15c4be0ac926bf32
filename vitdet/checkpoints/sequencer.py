"""All that is known about checkpoints of Sequencer2D."""

from vitdet.checkpoints import sequencer_official, sequencer_timm
from vitdet.checkpoints.layout import Converted, Family, Layout, StateDict


def _is_ours(state: StateDict) -> bool:
    return (
        "patch_embed.proj.weight" in state
        and "stages.0.blocks.0.rnn_tokens.rnn_v.weight_ih_l0" in state
    )


FAMILY = Family(
    layouts=(
        Layout("vitdet", _is_ours, lambda state: Converted(dict(state))),
        sequencer_official.LAYOUT,
        sequencer_timm.LAYOUT,
    ),
    resizers={},
    # Output norms belong to detection, and nobody has published any.
    optional=lambda state, key: (
        key.startswith("norms.") and not any(other.startswith("norms.") for other in state)
    ),
    spare=r"^norms\.\d+\.|^norm\.|^head\.",
)
