"""Faster and Mask R-CNN as functions of pixels."""

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.dense_heads import RPNHead
from mmdet.models.detectors import TwoStageDetector
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.roi_heads.bbox_heads import ConvFCBBoxHead
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from torch import Tensor, nn
from torchvision.ops import roi_align

from vitdet.deploy.exported_model import ExportedModel, width_and_height
from vitdet.deploy.suppression import best, suppress
from vitdet.rcnn import box_deltas
from vitdet.rcnn.roi_features import levels_of

# Pairs of a region and a class that are looked at; a hundred survive of far fewer.
_MOST_PAIRS = 2000


def is_rcnn(model: nn.Module) -> bool:
    """Whether `ExportedRCNN` computes what this model does."""
    if not isinstance(model, TwoStageDetector):
        return False
    head, rpn = model.roi_head, model.rpn_head
    return (
        isinstance(rpn, RPNHead)
        and isinstance(head, StandardRoIHead)
        and not head.with_shared_head
        and isinstance(head.bbox_head, ConvFCBBoxHead)
        and (not head.with_mask or type(head.mask_head).forward is FCNMaskHead.forward)
        and all(map(box_deltas.is_known, (rpn.bbox_coder, head.bbox_head.bbox_coder)))
        and all(type(one) is SingleRoIExtractor for one in _extractors(head))
        and all(
            config["nms"].get("type", "nms") == "nms"
            for config in (model.test_cfg["rpn"], model.test_cfg["rcnn"])
        )
    )


class ExportedRCNN(ExportedModel):
    """Proposals, their classes and boxes, and the masks of the best; numbers of all are fixed."""

    task = "detection"

    def __init__(self, model: TwoStageDetector) -> None:
        super().__init__(model)
        masks = ("masks",) if model.roi_head.with_mask else ()
        self.output_names = ("boxes", "scores", "labels", *masks)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Find objects in images: (B, H, W, 3) uint8.

        Returns boxes: (B, N, 4) xyxy pixels of the images, scores: (B, N), labels: (B, N) and,
        where the model finds them, masks: (B, N, h, w), probabilities in each box.
        """
        maps = self.model.extract_feat(self.prepare(images))
        limits = width_and_height(images)
        proposals, scores = self._proposals(maps, limits)
        boxes, scores, labels = self._objects(maps, proposals, scores, limits)
        if not self.model.roi_head.with_mask:
            return boxes, scores, labels
        return boxes, scores, labels, self._masks(maps, boxes, labels)

    def _proposals(self, maps: Sequence[Tensor], limits: Tensor) -> tuple[Tensor, Tensor]:
        """Boxes (B, R, 4) and scores (B, R)."""
        head, config = self.model.rpn_head, self.model.test_cfg["rpn"]
        logits_of_levels, deltas_of_levels = head(maps)
        sizes = [tuple(one.shape[2:]) for one in logits_of_levels]
        priors = head.prior_generator.grid_priors(sizes, device=limits.device)
        parts = []
        for level, (logits, deltas, anchors) in enumerate(
            zip(logits_of_levels, deltas_of_levels, priors, strict=True)
        ):
            scores = logits.permute(0, 2, 3, 1).flatten(1).sigmoid()
            deltas = deltas.permute(0, 2, 3, 1).unflatten(3, (-1, 4)).flatten(1, 3)
            scores, rows = scores.topk(min(config["nms_pre"], scores.shape[1]), dim=1)
            chosen = deltas.gather(1, rows[..., None].expand(-1, -1, 4))
            boxes = box_deltas.decode(head.bbox_coder, anchors[rows], chosen, limits)
            parts.append((boxes, scores, torch.full_like(rows, level)))
        boxes, scores, levels = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
        scores = _without_small(boxes, scores, config)
        scores = suppress(boxes, scores, levels, iou_threshold=config["nms"]["iou_threshold"])
        scores, boxes = best(scores, config["max_per_img"], boxes)
        return boxes, scores

    def _objects(
        self, maps: Sequence[Tensor], proposals: Tensor, objectness: Tensor, limits: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes (B, N, 4), scores (B, N) and labels (B, N)."""
        roi_head, config = self.model.roi_head, self.model.test_cfg["rcnn"]
        head = roi_head.bbox_head
        logits, deltas = head(_features(roi_head.bbox_roi_extractor, maps, proposals))
        number, classes = proposals.shape[1], head.num_classes
        scores = logits.softmax(-1)[:, :classes].unflatten(0, (-1, number))  # (B, R, K)
        scores = scores * (objectness > 0)[..., None]
        flat = scores.flatten(1)
        scores, pairs = flat.topk(min(_MOST_PAIRS, flat.shape[1]), dim=1)
        rows, labels = pairs // classes, pairs % classes
        deltas = deltas.unflatten(0, (-1, number)).unflatten(2, (-1, 4)).flatten(1, 2)
        places = rows if head.reg_class_agnostic else pairs
        chosen = deltas.gather(1, places[..., None].expand(-1, -1, 4))
        regions = proposals.gather(1, rows[..., None].expand(-1, -1, 4))
        boxes = box_deltas.decode(head.bbox_coder, regions, chosen, limits)
        scores = torch.where(scores > config["score_thr"], scores, 0.0)
        scores = suppress(boxes, scores, labels, iou_threshold=config["nms"]["iou_threshold"])
        scores, boxes, labels = best(scores, config["max_per_img"], boxes, labels)
        return boxes, scores, labels

    def _masks(self, maps: Sequence[Tensor], boxes: Tensor, labels: Tensor) -> Tensor:
        """Probabilities (B, N, h, w)."""
        roi_head = self.model.roi_head
        logits = roi_head.mask_head(_features(roi_head.mask_roi_extractor, maps, boxes))
        if roi_head.mask_head.class_agnostic:
            chosen = logits[:, 0]
        else:
            places = labels.flatten()[:, None, None, None].expand(-1, 1, *logits.shape[2:])
            chosen = logits.gather(1, places)[:, 0]
        return chosen.sigmoid().unflatten(0, (-1, boxes.shape[1]))


def _without_small(boxes: Tensor, scores: Tensor, config: Any) -> Tensor:
    """Scores (B, N), 0 of boxes (B, N, 4) that are no larger than they have to be."""
    sides = boxes[..., 2:] - boxes[..., :2]
    return torch.where(sides.amin(-1) > config["min_bbox_size"], scores, 0.0)


def _features(extractor: SingleRoIExtractor, maps: Sequence[Tensor], boxes: Tensor) -> Tensor:
    """Features (B * N, C, size, size) of boxes: (B, N, 4), each read from the level of its size.

    On the other levels it is a region without extent, which RoIAlign is done with at once; what it
    reads there, with a fixed number of samples, counts for nothing.
    """
    images = torch.arange(boxes.shape[0]).repeat_interleave(boxes.shape[1])
    regions = boxes.flatten(0, 1)
    rois = torch.cat([images[:, None].to(regions.dtype), regions], dim=1)
    levels = levels_of(extractor, rois)
    found = 0
    for level, (layer, features) in enumerate(zip(extractor.roi_layers, maps, strict=False)):
        is_own = levels == level
        own = regions * is_own[:, None]
        read = roi_align(
            features,
            torch.cat([rois[:, :1], own], dim=1),
            layer.output_size,
            layer.spatial_scale,
            layer.sampling_ratio,
            layer.aligned,
        )
        found = found + read * is_own[:, None, None, None]
    return found


def _extractors(head: StandardRoIHead) -> list[nn.Module]:
    return [head.bbox_roi_extractor, *([head.mask_roi_extractor] if head.with_mask else [])]
