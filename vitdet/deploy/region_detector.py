"""Faster, Mask and Cascade R-CNN as functions of pixels."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from mmdet.models.dense_heads import RPNHead
from mmdet.models.detectors import TwoStageDetector
from mmdet.models.roi_heads import CascadeRoIHead as MmdetCascadeRoIHead
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.roi_heads.bbox_heads import ConvFCBBoxHead
from mmdet.models.roi_heads.mask_heads import FCNMaskHead as MmdetFCNMaskHead
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from torch import Tensor, nn
from torchvision.ops import roi_align

from vitdet.deploy.exported_model import ExportedModel, width_and_height
from vitdet.deploy.suppression import best, suppress
from vitdet.detectors import CascadeRoIHead, RoIHead
from vitdet.detectors.fcn_mask_head import FCNMaskHead
from vitdet.rcnn import box_deltas
from vitdet.rcnn.roi_features import levels_of

# Pairs of a region and a class that are looked at; a hundred survive of far fewer.
_MOST_PAIRS = 2000


# Those that derive from them compute something else.
_HEADS = (StandardRoIHead, RoIHead, MmdetCascadeRoIHead, CascadeRoIHead)
_MASK_HEADS = (MmdetFCNMaskHead, FCNMaskHead)


class _Stage(NamedTuple):
    """What a cascade repeats; other detectors have one. Without masks the last two are None."""

    head: nn.Module
    extractor: nn.Module
    mask_head: nn.Module | None
    mask_extractor: nn.Module | None


def is_rcnn(model: nn.Module) -> bool:
    """Whether `ExportedRCNN` computes what this model does."""
    return has_known_parts(model, heads=_HEADS, mask_heads=_MASK_HEADS)


def has_known_parts(
    model: nn.Module,
    *,
    heads: Sequence[type[nn.Module]],
    mask_heads: Sequence[type[nn.Module]],
) -> bool:
    """Whether a model is an R-CNN with one of these heads, and of these for masks."""
    if not isinstance(model, TwoStageDetector):
        return False
    rpn, roi_head = model.rpn_head, model.roi_head
    return (
        isinstance(rpn, RPNHead)
        and box_deltas.is_known(rpn.bbox_coder)
        and type(roi_head) in heads
        and not roi_head.with_shared_head
        and all(_is_known(stage, mask_heads) for stage in _stages_of(roi_head))
        and all(
            config["nms"].get("type", "nms") == "nms"
            for config in (model.test_cfg["rpn"], model.test_cfg["rcnn"])
        )
    )


def _stages_of(roi_head: nn.Module) -> list[_Stage]:
    parts = [roi_head.bbox_head, roi_head.bbox_roi_extractor]
    if roi_head.with_mask:
        parts += [roi_head.mask_head, roi_head.mask_roi_extractor]
    if not isinstance(roi_head, MmdetCascadeRoIHead):
        parts = [[part] for part in parts]
    if not roi_head.with_mask:
        parts += [[None] * len(parts[0])] * 2
    return [_Stage(*stage) for stage in zip(*parts, strict=True)]


def _is_known(stage: _Stage, mask_heads: Sequence[type[nn.Module]]) -> bool:
    is_known = (
        isinstance(stage.head, ConvFCBBoxHead)
        and not stage.head.custom_activation
        and box_deltas.is_known(stage.head.bbox_coder)
        and type(stage.extractor) is SingleRoIExtractor
    )
    if stage.mask_head is None:
        return is_known
    has_known_masks = type(stage.mask_head) in mask_heads
    return is_known and has_known_masks and type(stage.mask_extractor) is SingleRoIExtractor


class ExportedRCNN(ExportedModel):
    """Proposals, their classes and boxes, and the masks of the best; numbers of all are fixed."""

    task = "detection"

    def __init__(self, model: TwoStageDetector) -> None:
        super().__init__(model)
        self._stages = _stages_of(model.roi_head)
        masks = ("masks",) if model.roi_head.with_mask else ()
        self.output_names = ("boxes", "scores", "labels", *masks)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Find objects in images: (B, H, W, 3) uint8.

        Returns boxes: (B, N, 4) xyxy pixels of the images, scores: (B, N), labels: (B, N) and,
        where the model finds them, masks: (B, N, h, w), probabilities in each box.
        """
        maps = self._maps(images)
        limits = width_and_height(images)
        proposals, scores = self._proposals(maps, limits)
        boxes, scores, labels = self._objects(maps, proposals, scores, limits)
        if not self.model.roi_head.with_mask:
            return boxes, scores, labels
        return boxes, scores, labels, self._masks(maps, boxes, labels)

    def _maps(self, images: Tensor) -> tuple[Tensor, ...]:
        return self.model.extract_feat(self.prepare(images))

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
            scores = logits.permute(0, 2, 3, 1).flatten(1).float().sigmoid()
            deltas = deltas.permute(0, 2, 3, 1).unflatten(3, (-1, 4)).flatten(1, 3)
            scores, rows = scores.topk(torch.sym_min(config["nms_pre"], scores.shape[1]), dim=1)
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
        config, head = self.model.test_cfg["rcnn"], self._stages[-1].head
        logits, proposals, deltas = self._classify(maps, proposals, limits)
        scores = logits.softmax(-1)[..., :-1] * (objectness > 0)[..., None]  # (B, R, K)
        flat = scores.flatten(1)
        scores, pairs = flat.topk(min(_MOST_PAIRS, flat.shape[1]), dim=1)
        rows, labels = pairs // head.num_classes, pairs % head.num_classes
        regions = proposals.gather(1, rows[..., None].expand(-1, -1, 4))
        boxes = _moved(head, regions, deltas, rows, labels, limits)
        scores = torch.where(scores > config["score_thr"], scores, 0.0)
        scores = suppress(boxes, scores, labels, iou_threshold=config["nms"]["iou_threshold"])
        scores, boxes, labels = best(scores, config["max_per_img"], boxes, labels)
        return boxes, scores, labels

    def _classify(
        self, maps: Sequence[Tensor], proposals: Tensor, limits: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (B, R, 1 + K) of all stages, and of the last one its proposals and deltas."""
        number = proposals.shape[1]
        total = 0
        for place, stage in enumerate(self._stages):
            outputs = stage.head(self._features(stage.extractor, maps, proposals))
            logits, deltas = (each.float().unflatten(0, (-1, number)) for each in outputs)
            total = total + logits
            if place < len(self._stages) - 1:
                rows = torch.arange(number).expand(proposals.shape[:2])
                labels = logits[..., :-1].argmax(-1)
                proposals = _moved(stage.head, proposals, deltas, rows, labels, limits)
        return total / len(self._stages), proposals, deltas

    def _masks(self, maps: Sequence[Tensor], boxes: Tensor, labels: Tensor) -> Tensor:
        """Probabilities (B, N, h, w): the means of the stages'."""
        total = 0
        for stage in self._stages:
            logits = stage.mask_head(self._features(stage.mask_extractor, maps, boxes))
            total = total + probabilities(stage.mask_head, logits, labels)
        return total / len(self._stages)

    def _features(
        self, extractor: SingleRoIExtractor, maps: Sequence[Tensor], boxes: Tensor
    ) -> Tensor:
        return features_of_regions(extractor, maps, boxes)


def probabilities(head: nn.Module, logits: Tensor, labels: Tensor) -> Tensor:
    """Masks (B, N, h, w) of labels: (B, N) from a mask head's logits: (B * N, K or 1, h, w)."""
    if not head.class_agnostic:
        places = labels.flatten()[:, None, None, None].expand(-1, 1, *logits.shape[2:])
        logits = logits.gather(1, places)
    return logits[:, 0].float().sigmoid().unflatten(0, (-1, labels.shape[1]))


def _moved(
    head: nn.Module, regions: Tensor, deltas: Tensor, rows: Tensor, labels: Tensor, limits: Tensor
) -> Tensor:
    """Boxes (B, N, 4): regions: (B, N, 4) by the deltas of their rows: (B, N) and labels: (B, N).

    deltas: (B, R, 4), or (B, R, 4 * K) where each class has its own.
    """
    deltas = deltas.unflatten(2, (-1, 4)).flatten(1, 2)
    places = rows if head.reg_class_agnostic else rows * head.num_classes + labels
    chosen = deltas.gather(1, places[..., None].expand(-1, -1, 4))
    return box_deltas.decode(head.bbox_coder, regions, chosen, limits)


def _without_small(boxes: Tensor, scores: Tensor, config: Any) -> Tensor:
    """Scores (B, N), 0 of boxes (B, N, 4) that are no larger than they have to be."""
    sides = boxes[..., 2:] - boxes[..., :2]
    return torch.where(sides.amin(-1) > config["min_bbox_size"], scores, 0.0)


def features_of_regions(
    extractor: SingleRoIExtractor, maps: Sequence[Tensor], boxes: Tensor
) -> Tensor:
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
            features.float(),  # places of half precision are 1 pixel apart at 1024
            torch.cat([rois[:, :1], own], dim=1),
            layer.output_size,
            layer.spatial_scale,
            layer.sampling_ratio,
            layer.aligned,
        )
        found = found + read * is_own[:, None, None, None]
    return found.to(maps[0].dtype)
