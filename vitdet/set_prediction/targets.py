"""What the objects of a batch look like to matcher and criterion."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmdet.structures import DetDataSample
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from vitdet.errors import UserError
from vitdet.set_prediction.boxes import xyxy_to_cxcywh

ABSENT = -1  # the label where there is no object


class Targets(NamedTuple):
    """The objects of B images, padded to the T of the image that has most.

    Attributes:
        labels: (B, T) classes from 0, `ABSENT` in the padding and for what is to be left out.
        boxes: (B, T, 4) cxcywh as shares of the image's own size, the padding of the batch not
            counted.
        names: what messages call each image.
        masks: (B, T, H, W) bool or uint8 over the whole padded batch, or None.
    """

    labels: Tensor
    boxes: Tensor
    names: Sequence[str]
    masks: Tensor | None = None

    @property
    def num_objects(self) -> Tensor:
        """(B,) objects of each image."""
        return (self.labels != ABSENT).sum(1)


def pad_targets(
    labels: Sequence[Tensor],
    boxes: Sequence[Tensor],
    *,
    masks: Sequence[Tensor] | None = None,
    names: Sequence[str] | None = None,
) -> Targets:
    """Bring the objects of each image together.

    Args:
        labels: for each image, (T_b,) classes from 0.
        boxes: for each image, (T_b, 4) cxcywh as shares of the image.
        masks: for each image, (T_b, H_b, W_b); zero-padded at the bottom and right.
        names: what messages call each image; by default its place in the batch.
    """
    names = names or [f"image {index} of the batch" for index in range(len(labels))]
    padded = None
    if masks is not None:
        height, width = (max(mask.shape[dim] for mask in masks) for dim in (1, 2))
        padded = pad_sequence(
            [F.pad(m, (0, width - m.shape[2], 0, height - m.shape[1])) for m in masks],
            batch_first=True,
        )
    return Targets(
        pad_sequence(list(labels), batch_first=True, padding_value=ABSENT),
        pad_sequence(list(boxes), batch_first=True),
        names,
        padded,
    )


def targets_of(samples: Sequence[DetDataSample], *, with_masks: bool = False) -> Targets:
    """The ground truth of mmdet's data samples.

    Boxes are clipped to their image, and those of which nothing is left (empty, or outside of it)
    are left out, as DETR's data code does; here without asking the device how many there are.

    Raises UserError if masks are wanted and were not loaded.
    """
    labels, boxes = [], []
    for sample in samples:
        objects = sample.gt_instances
        height, width = sample.img_shape[:2]
        # Divided by plain numbers: a tensor of them would have to cross to the device.
        x, y = objects.bboxes[:, 0::2] / width, objects.bboxes[:, 1::2] / height
        shares = torch.stack([x, y], dim=-1).flatten(1)
        clipped = shares.clamp(0, 1)
        x1, y1, x2, y2 = clipped.unbind(-1)
        # Inverted boxes and NaN stay as they are, for the matcher to refuse.
        is_inverted = (shares[:, 2:] < shares[:, :2]).any(-1)
        is_empty = ((x2 <= x1) | (y2 <= y1)) & ~is_inverted
        labels.append(objects.labels.masked_fill(is_empty, ABSENT))
        boxes.append(xyxy_to_cxcywh(torch.where(is_inverted[:, None], shares, clipped)))
    masks = None
    if with_masks:
        if not all("masks" in sample.gt_instances for sample in samples):
            raise UserError(
                "the model learns masks, and its data have none: set with_mask=True in the "
                "pipeline's LoadAnnotations"
            )
        masks = [
            sample.gt_instances.masks.to_tensor(torch.uint8, sample.gt_instances.bboxes.device)
            for sample in samples
        ]
    names = [
        str(sample.get("img_path") or f"image {index} of the batch")
        for index, sample in enumerate(samples)
    ]
    return pad_targets(labels, boxes, masks=masks, names=names)
