"""Rows of a class head, carried from the classes of a checkpoint to those of a model by name."""

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from vitdet.checkpoints.layout import StateDict

# Ids that COCO's 80 categories leave out, and those of its 53 merged stuff categories.
NUM_COCO_IDS, NUM_PANOPTIC_IDS = 91, 250
UNUSED_IDS = {0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
STUFF_IDS = (
    *(92, 93, 95, 100, 107, 109, 112, 118, 119, 122, 125, 128, 130, 133, 138, 141, 144, 145, 147),
    *(148, 149, 151, 154, 155, 156, 159, 161, 166, 168, 171, 175, 176, 177, 178, 180, 181),
    *range(184, 201),
)
# Layers of mmdet's and mmseg's heads that have a row for each class, and how many rows follow
# those: Deformable DETR's and DINO's, one for each decoder layer, and the labels that DINO
# denoises; Mask2Former's; those of segmentors.
HEAD_ENTRIES = (
    (r"(^|\.)bbox_head\.cls_branches\.\d+$", 0),
    (r"(^|\.)dn_query_generator\.label_embedding$", 0),
    (r"(^|\.)panoptic_head\.cls_embed$", 1),
    (r"(^|\.)(decode|auxiliary)_head(\.\d+)?\.conv_seg$", 0),
    (r"(^|\.)decode_head\.cls_embed$", 1),
)


def entries_of_heads(state: StateDict) -> dict[str, int]:
    """Entries of `state` in such heads that have class rows -> number of rows after those.

    Found by the layer's name; a layer without a weight (GroundingDINO's) has no rows of its own.
    """
    entries = {}
    for key in state:
        layer = key.rpartition(".")[0]
        for pattern, num_others in HEAD_ENTRIES:
            if re.search(pattern, layer) and f"{layer}.weight" in state:
                entries[key] = num_others
    return entries


def coco_names(num_rows: int) -> list[str | None] | None:
    """Names of published rows, which count COCO's category ids.

    Args:
        num_rows: without "no object": 91 for boxes, 250 for panoptic segments.

    Returns:
        The name of each row, None for ids without a category; None for any other number of rows.
    """
    if num_rows not in (NUM_COCO_IDS, NUM_PANOPTIC_IDS):
        return None
    from mmdet.datasets import CocoPanopticDataset  # slow to import, and needed here alone

    names: list[str | None] = [None] * num_rows
    thing_ids = (number for number in range(NUM_COCO_IDS) if number not in UNUSED_IDS)
    ids = [*thing_ids, *STUFF_IDS]
    for number, name in zip(ids, CocoPanopticDataset.METAINFO["classes"], strict=True):
        if number < num_rows:
            names[number] = name
    return names


def carry_rows(
    theirs: Tensor,
    ours: Tensor,
    old: Sequence[str | None],
    new: Sequence[str],
    *,
    num_others: int = 1,
) -> Tensor:
    """The rows of `ours`, with those of classes that `theirs` has replaced, and of what follows.

    Args:
        theirs: (len(old) + num_others, ...).
        ours: (len(new) + num_others, ...).
        old: name of each row of `theirs`.
        new: name of each row of `ours`.
        num_others: rows at the end that belong to no class: "no object".
    """
    rows = ours.detach().clone()
    places = [index for index, name in enumerate(new) if name in old]
    sources = [old.index(new[index]) for index in places]
    places += [len(new) + index for index in range(num_others)]
    sources += [len(old) + index for index in range(num_others)]
    rows[torch.tensor(places, dtype=torch.long)] = theirs.to(rows)[
        torch.tensor(sources, dtype=torch.long)
    ]
    return rows
