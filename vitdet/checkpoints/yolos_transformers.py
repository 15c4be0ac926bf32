"""YOLOS as transformers publishes it.

Files have the positions of the middle layers in the encoder, models of transformers 5 have them in
a part of it.
"""

from vitdet.checkpoints.layout import Converted, Layout, StateDict, rename
from vitdet.checkpoints.yolos_official import part_positions

RENAMES = (
    (r"^vit\.embeddings\.detection_tokens$", "backbone.det_token"),
    (r"^vit\.encoder\.interpolation\.", "vit.encoder."),
    (r"^vit\.", "backbone."),
    (r"^class_labels_classifier\.", "class_embed."),
    (r"^bbox_predictor\.", "bbox_embed."),
)


def recognises(state: StateDict) -> bool:
    return (
        "vit.embeddings.detection_tokens" in state and "vit.embeddings.position_embeddings" in state
    )


def convert(state: StateDict) -> Converted:
    return part_positions(
        rename(state, RENAMES).state,
        "backbone.embeddings.position_embeddings",
        "backbone.encoder.mid_position_embeddings",
    )


LAYOUT = Layout("transformers", recognises, convert)
"""The backbone's keys are left in ViT's layout of transformers."""
