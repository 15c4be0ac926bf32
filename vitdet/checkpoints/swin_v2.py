"""All that is known about checkpoints of Swin Transformer V2."""

from vitdet.checkpoints import swin_v2_official, swin_v2_timm, swin_v2_transformers
from vitdet.checkpoints.layout import Converted, Family, Layout
from vitdet.checkpoints.swin import output_norm_may_stay_fresh

FAMILY = Family(
    layouts=(
        Layout(
            "vitdet",
            lambda state: "stages.0.blocks.0.attn.cpb_mlp.0.weight" in state,
            lambda state: Converted(dict(state)),
        ),
        swin_v2_official.LAYOUT,
        swin_v2_timm.LAYOUT,
        swin_v2_transformers.LAYOUT,
    ),
    resizers={},  # the network for the position bias serves windows of any size
    optional=output_norm_may_stay_fresh,
    # Output norms of stages that the model does not return; the norm and head of a classifier.
    spare=r"^norms\.\d+\.|^norm\.|^head\.",
)
