"""All that is known about checkpoints of YOLOS.

The layouts here leave the keys of the backbone in its own layout, under `backbone.`.
"""

from vitdet.checkpoints import yolos_official, yolos_transformers
from vitdet.checkpoints.class_rows import coco_names
from vitdet.checkpoints.layout import Converted, Family, Layout
from vitdet.checkpoints.vit import resize_positions

FAMILY = Family(
    layouts=(
        Layout(
            "vitdet",
            lambda state: "det_token" in state and "det_pos_embed" in state,
            lambda state: Converted(dict(state)),
        ),
        yolos_official.LAYOUT,
        yolos_transformers.LAYOUT,
    ),
    resizers={"mid_pos_embed": resize_positions},
    optional=lambda state, key: False,
    spare="(?!)",
    class_entries=("class_embed.layers.2.weight", "class_embed.layers.2.bias"),
    published_classes=coco_names,
)
