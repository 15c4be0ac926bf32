"""All that is known about checkpoints of TNT."""

import re

from vitdet.checkpoints import tnt_official, tnt_timm
from vitdet.checkpoints.layout import Converted, Family, Layout, StateDict
from vitdet.checkpoints.vit import resize_positions

RESCALING = re.compile(r"^rescalings\.")


def _may_stay_fresh(state: StateDict, key: str) -> bool:
    """What detection adds may be missing, but not half of it."""
    return RESCALING.match(key) is not None and not any(map(RESCALING.match, state))


FAMILY = Family(
    layouts=(
        Layout(
            "vitdet",
            lambda state: "blocks.0.inner.attn.qkv.weight" in state,
            lambda state: Converted(dict(state)),
        ),
        tnt_official.LAYOUT,
        tnt_timm.LAYOUT,
    ),
    resizers={"pos_embed": resize_positions},
    optional=_may_stay_fresh,
    # Maps that are not returned; the norm and head of a classifier.
    spare=r"^(rescalings|norm|head)\.",
)
