"""All that is known about checkpoints of DETR.

The layouts here leave the keys of the backbone in its own layout, under `backbone.`.
"""

from vitdet.checkpoints import detr_official, detr_transformers
from vitdet.checkpoints.class_rows import coco_names
from vitdet.checkpoints.layout import Converted, Family, Layout

FAMILY = Family(
    layouts=(
        Layout(
            "vitdet",
            lambda state: "transformer.decoder.layers.0.cross_attn.qkv.weight" in state,
            lambda state: Converted(dict(state)),
        ),
        detr_official.LAYOUT,
        detr_transformers.LAYOUT,
    ),
    resizers={},
    optional=lambda state, key: False,
    spare=r"^mask_head\.",
    addable=r"^mask_head\.",
    class_entries=("class_embed.weight", "class_embed.bias"),
    published_classes=coco_names,
)
