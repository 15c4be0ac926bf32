"""Rows of a class head, carried from the classes of a checkpoint to those of a model by name."""

import re
from collections.abc import Sequence
from typing import NamedTuple

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


class ClassRows(NamedTuple):
    """How the rows of a layer belong to classes.

    Attributes:
        num_others: rows at the end that belong to no class: "no object", background.
        per_class: rows of a class, one after the other: 4 of a box.
        has_anchors: whether all this (without others) comes once for each anchor.
    """

    num_others: int = 0
    per_class: int = 1
    has_anchors: bool = False

    def num_anchors(self, num_rows: int, num_classes: int) -> int:
        """How often all classes come in `num_rows`; 0 if these rows are laid out differently."""
        number, rest = divmod(num_rows - self.num_others, max(num_classes * self.per_class, 1))
        return number if not rest and (number == 1 or self.has_anchors) else 0


NO_OBJECT_LAST = ClassRows(num_others=1)
# Layers of mmdet's and mmseg's heads that have rows for each class: of Mask R-CNN and its kin; of
# RetinaNet, FCOS, ATSS, YOLOX, RTMDet and theirs; of Deformable DETR and DINO, for each decoder
# layer, and the labels that DINO denoises; of Mask2Former; of segmentors.
HEAD_ENTRIES = (
    (r"(^|\.)bbox_head(\.\d+)?\.fc_cls$", NO_OBJECT_LAST),
    (r"(^|\.)bbox_head(\.\d+)?\.fc_reg$", ClassRows(per_class=4)),
    (r"(^|\.)mask_head(\.\d+)?\.conv_logits$", ClassRows()),
    (r"(^|\.)bbox_head\.(\w+_cls|conv_cls)$", ClassRows(has_anchors=True)),
    (r"(^|\.)bbox_head\.(rtm_cls|multi_level_conv_cls)\.\d+$", ClassRows(has_anchors=True)),
    (r"(^|\.)bbox_head\.cls_branches\.\d+$", ClassRows()),
    (r"(^|\.)dn_query_generator\.label_embedding$", ClassRows()),
    (r"(^|\.)panoptic_head\.cls_embed$", NO_OBJECT_LAST),
    (r"(^|\.)(decode|auxiliary)_head(\.\d+)?\.conv_seg$", ClassRows()),
    (r"(^|\.)decode_head\.cls_embed$", NO_OBJECT_LAST),
)


def entries_of_heads(state: StateDict) -> dict[str, ClassRows]:
    """Entries of `state` in such heads, by the layer's name.

    A layer without a weight (GroundingDINO's) has no rows of its own.
    """
    entries = {}
    for key in state:
        layer = key.rpartition(".")[0]
        for pattern, rows in HEAD_ENTRIES:
            if re.search(pattern, layer) and f"{layer}.weight" in state:
                entries.setdefault(key, rows)
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
    rows: ClassRows = NO_OBJECT_LAST,
) -> Tensor:
    """The rows of `ours`, with those of classes that `theirs` has replaced, and of what follows.

    Args:
        theirs: (anchors * len(old) * rows.per_class + rows.num_others, ...).
        ours: (anchors * len(new) * rows.per_class + rows.num_others, ...).
        old: name of each class of `theirs`.
        new: name of each class of `ours`.
        rows: how both are laid out.
    """
    result = ours.detach().clone()
    places = torch.tensor([index for index, name in enumerate(new) if name in old]).long()
    sources = torch.tensor([old.index(name) for name in new if name in old]).long()
    ends = len(ours) - rows.num_others, len(theirs) - rows.num_others
    anchors = rows.num_anchors(len(ours), len(new))
    body = result[: ends[0]].view(anchors, len(new), rows.per_class, *ours.shape[1:])
    their_body = theirs[: ends[1]].reshape(anchors, len(old), rows.per_class, *ours.shape[1:])
    body[:, places] = their_body.to(result)[:, sources]
    result[ends[0] :] = theirs[ends[1] :].to(result)
    return result
