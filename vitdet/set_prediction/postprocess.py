"""From what a set predictor says to objects in the pixels of the original image."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from vitdet.set_prediction.boxes import cxcywh_to_xyxy

INSTANCE_OFFSET = 1000  # mmdet's: a panoptic pixel is class + 1000 * instance
SMALLEST_SEGMENT = 4  # pixels; what is not larger is noise (DETR's code)


class Detections(NamedTuple):
    """The objects of one image, best score first.

    Attributes:
        queries: (N,) which query said so.
        scores: (N,) 0 to 1.
        labels: (N,) classes from 0.
        boxes: (N, 4) xyxy in pixels of the original image, not clipped to it.
    """

    queries: Tensor
    scores: Tensor
    labels: Tensor
    boxes: Tensor


def detections(
    logits: Tensor,
    boxes: Tensor,
    sizes: Sequence[tuple[int, int]],
    *,
    max_per_image: int | None = None,
) -> list[Detections]:
    """Each query's most probable class but "no object", and its box.

    Args:
        logits: (B, Q, K + 1), no object last.
        boxes: (B, Q, 4) cxcywh as shares of the image.
        sizes: (H, W) of each original image.
        max_per_image: how many to keep; by default all Q.
    """
    scores, labels = logits.float().softmax(-1)[..., :-1].max(-1)
    scores, queries = scores.sort(dim=1, descending=True, stable=True)
    queries, scores = queries[:, :max_per_image], scores[:, :max_per_image]
    labels = labels.gather(1, queries)
    corners = cxcywh_to_xyxy(boxes.float())
    found = []
    for image, (height, width) in enumerate(sizes):
        scale = corners.new_tensor([width, height, width, height])
        found.append(
            Detections(
                queries[image], scores[image], labels[image], corners[image, queries[image]] * scale
            )
        )
    return found


def masks_in_image(
    logits: Tensor,
    *,
    batch_shape: Sequence[int],
    img_shape: Sequence[int],
    ori_shape: Sequence[int],
    threshold: float = 0.5,
) -> Tensor:
    """Masks of one image in the pixels of the original.

    Args:
        logits: (N, h, w) over the padded batch.
        batch_shape: (H, W) of the padded batch.
        img_shape: (H, W) of the image in it, at the top left.
        ori_shape: (H, W) of the original image.
        threshold: probability above which a pixel belongs to the object.

    Returns:
        (N, *ori_shape) bool.
    """
    masks = _crop_enlarged(logits, batch_shape, img_shape).sigmoid() > threshold
    return F.interpolate(masks[None].to(torch.uint8), size=tuple(ori_shape[:2]))[0].bool()


def panoptic_segments(
    found: Detections,
    logits: Tensor,
    *,
    batch_shape: Sequence[int],
    img_shape: Sequence[int],
    ori_shape: Sequence[int],
    is_thing: Tensor,
    score_threshold: float = 0.85,
) -> Tensor:
    """Give every pixel to the mask that claims it most (DETR, sec. 4.4).

    Args:
        found: of one image.
        logits: (N, h, w) masks of `found` over the padded batch.
        batch_shape: (H, W) of the padded batch.
        img_shape: (H, W) of the image in it.
        ori_shape: (H, W) of the original image.
        is_thing: (K,) bool; masks of a class that is no thing are one segment.
        score_threshold: objects scored lower are left out.

    Returns:
        (*ori_shape) int64: class + 1000 * instance, instances counted from 1 (0 for what is no
        thing); K where nothing was found.
    """
    num_classes = len(is_thing)
    kept = (found.scores > score_threshold).nonzero()[:, 0]
    labels = found.labels[kept]
    masks = _crop_enlarged(logits[kept], batch_shape, img_shape)
    while len(labels):
        owner = _merge_stuff(masks.argmax(0), labels, is_thing)
        areas = owner.flatten().bincount(minlength=len(labels))
        # A mask counts with those that it is one segment with. DETR's code drops all but the first
        # of them here, and with them their pixels.
        segments = torch.arange(len(labels), device=owner.device)
        is_large = areas[_merge_stuff(segments, labels, is_thing)] > SMALLEST_SEGMENT
        if is_large.all():
            break
        labels, masks = labels[is_large], masks[is_large]
    else:
        return torch.full(tuple(ori_shape[:2]), num_classes, device=logits.device)
    instances = torch.zeros_like(labels)
    for label in labels[is_thing[labels]].unique():
        same = labels == label
        instances[same] = torch.arange(1, int(same.sum()) + 1, device=labels.device)
    segments = (labels + INSTANCE_OFFSET * instances)[owner]
    size = tuple(ori_shape[:2])
    return F.interpolate(segments[None, None].double(), size=size)[0, 0].long()


def _crop_enlarged(logits: Tensor, batch_shape: Sequence[int], img_shape: Sequence[int]) -> Tensor:
    """Logits (N, h, w) at the size of the padded batch, cut to the image, (N, H, W)."""
    size = tuple(batch_shape[:2])
    large = F.interpolate(logits[:, None].float(), size=size, mode="bilinear", align_corners=False)
    return large[:, 0, : img_shape[0], : img_shape[1]]


def _merge_stuff(owner: Tensor, labels: Tensor, is_thing: Tensor) -> Tensor:
    """Replace each number of a mask in `owner` by the first mask of its class, if no thing."""
    same = (labels[:, None] == labels[None]) & ~is_thing[labels][:, None]
    same |= torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    return same.int().argmax(1)[owner]
