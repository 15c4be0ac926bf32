"""Rows of a class head, carried from the classes of a checkpoint to those of a model by name."""

from collections.abc import Sequence

import torch
from torch import Tensor

# Ids that COCO's 80 categories leave out, and those of its 53 merged stuff categories.
NUM_COCO_IDS, NUM_PANOPTIC_IDS = 91, 250
UNUSED_IDS = {0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
STUFF_IDS = (
    *(92, 93, 95, 100, 107, 109, 112, 118, 119, 122, 125, 128, 130, 133, 138, 141, 144, 145, 147),
    *(148, 149, 151, 154, 155, 156, 159, 161, 166, 168, 171, 175, 176, 177, 178, 180, 181),
    *range(184, 201),
)


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
    theirs: Tensor, ours: Tensor, old: Sequence[str | None], new: Sequence[str]
) -> Tensor:
    """The rows of `ours`, with those of classes that `theirs` has replaced, and "no object".

    Args:
        theirs: (len(old) + 1, ...), no object last.
        ours: (len(new) + 1, ...).
        old: name of each row of `theirs`.
        new: name of each row of `ours`.
    """
    rows = ours.detach().clone()
    places = [index for index, name in enumerate(new) if name in old]
    sources = [old.index(new[index]) for index in places]
    theirs = theirs.to(rows)
    rows[torch.tensor([*places, len(new)])] = theirs[torch.tensor([*sources, len(old)])]
    return rows
