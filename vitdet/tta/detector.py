"""A detector that looks at several views of an image and merges what it finds, masks included.

mmdet's `DetTTAModel` merges boxes only and asserts that there are no masks.
"""

import copy
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmcv.ops import batched_nms
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from mmdet.models.layers import multiclass_nms
from mmdet.models.roi_heads import CascadeRoIHead, HybridTaskCascadeRoIHead, StandardRoIHead
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox2roi, bbox_flip
from mmengine.model import BaseTTAModel
from mmengine.structures import InstanceData
from torch import Tensor, nn

from vitdet import detectors
from vitdet.errors import UserError

Maps = tuple[Tensor, ...]
_ROI_HEADS = (StandardRoIHead, CascadeRoIHead, HybridTaskCascadeRoIHead)
_OUR_ROI_HEADS = (detectors.RoIHead, detectors.CascadeRoIHead)  # which predict as those do
_FLIPPED_DIMS = {"horizontal": (-1,), "vertical": (-2,), "diagonal": (-2, -1)}
_FALLBACK = dict(nms=dict(type="nms", iou_threshold=0.5), max_per_img=100)


class AugmentedDetector(BaseTTAModel):
    """A detector of mmdet's that looks at several views of each image, scaled and flipped.

    Boxes that it finds before suppression in all views are brought into one frame and suppressed
    together. Masks are then predicted for the boxes that remain, from the features of every view,
    and their logits averaged.

    Args:
        module: the detector, or its config.

    Raises:
        UserError: the detector finds masks in a way that is not known here.
    """

    def __init__(self, module: nn.Module | dict[str, Any]) -> None:
        super().__init__(module)
        roi_head = getattr(self.module, "roi_head", None)
        self.has_roi_head = type(roi_head) in _ROI_HEADS + _OUR_ROI_HEADS
        has_masks = getattr(self.module, "with_mask", False)
        if has_masks and not (self.has_roi_head and roi_head.with_mask):
            name = type(self.module if roi_head is None else roi_head).__name__
            raise UserError(
                f"--tta: the masks of {name} cannot be merged; it works for detectors without "
                f"masks and for {', '.join(cls.__name__ for cls in _ROI_HEADS)}"
            )

    def test_step(self, data: Mapping[str, Sequence[Any]]) -> list[DetDataSample]:
        """Predict for a batch of which `data` holds one entry per view, each a batch of its own."""
        num_views = len(data["inputs"])
        batches = [{key: value[view] for key, value in data.items()} for view in range(num_views)]
        if num_views == 1 and not _flip(batches[0]["data_samples"][0].metainfo):
            return self.module.test_step(batches[0])  # nothing to merge
        prepared = [self.module.data_preprocessor(batch, False) for batch in batches]
        inputs = [batch["inputs"] for batch in prepared]
        samples = [batch["data_samples"] for batch in prepared]
        metas = [[sample.metainfo for sample in batch] for batch in samples]
        maps = [self.module.extract_feat(images) for images in inputs]
        found = [self._candidates(*view) for view in zip(maps, inputs, samples, strict=True)]
        merged = []
        for index, sample in enumerate(samples[0]):
            image_metas = [view[index] for view in metas]
            instances = self._merge([view[index] for view in found], image_metas)
            if self.has_roi_head and self.module.roi_head.with_mask:
                one = [tuple(level[index : index + 1] for level in view) for view in maps]
                instances = self._add_masks(instances, one, image_metas)
            else:
                instances.bboxes = instances.bboxes / _scale(image_metas[0], instances.bboxes)
            sample.pred_instances = instances
            merged.append(sample)
        return merged

    def merge_preds(self, data_samples_list: Any) -> Any:
        """mmengine's way, which merges what is left after suppression; not used here."""
        raise NotImplementedError("views are merged in test_step")

    def _candidates(
        self, maps: Maps, images: Tensor, samples: list[DetDataSample]
    ) -> list[InstanceData]:
        """What the detector finds in each image of one view, before suppression if possible."""
        module, metas = self.module, [sample.metainfo for sample in samples]
        if self.has_roi_head:
            proposals = module.rpn_head.predict(maps, samples, rescale=False)
            return module.roi_head.predict_bbox(
                maps, metas, proposals, None, rescale=False, **self._semantic(maps)
            )
        if self._has_dense_head():
            head = module.bbox_head
            return head.predict_by_feat(
                *head(maps), batch_img_metas=metas, rescale=False, with_nms=False
            )
        predicted = module.predict(images, copy.deepcopy(samples), rescale=False)
        return [sample.pred_instances for sample in predicted]

    def _merge(self, found: list[InstanceData], metas: list[dict]) -> InstanceData:
        """Suppress the boxes of all views of an image together, in the unflipped first one."""
        pairs = [pair for pair in zip(found, metas, strict=True) if len(pair[0])]
        if not pairs:
            empty = found[0].bboxes.new_zeros(0, 4)
            return InstanceData(
                bboxes=empty, scores=empty[:, 0], labels=empty[:, 0].to(torch.int64)
            )
        boxes = torch.cat([_to_first(one.bboxes, meta, metas[0]) for one, meta in pairs])
        scores = torch.cat([one.scores for one, _ in pairs])
        merged = InstanceData()
        if self.has_roi_head:
            config = self.module.roi_head.test_cfg
            boxes, merged.labels = multiclass_nms(
                boxes, scores, config.score_thr, config.nms, config.max_per_img
            )
            merged.bboxes, merged.scores = boxes[:, :4], boxes[:, 4]
            return merged
        labels = torch.cat([one.labels for one, _ in pairs])
        config = self.module.bbox_head.test_cfg if self._has_dense_head() else _FALLBACK
        kept_boxes, kept = batched_nms(boxes, scores, labels, config["nms"])
        limit = config.get("max_per_img", -1)
        limit = len(kept) if limit < 0 else limit
        merged.bboxes, merged.scores = kept_boxes[:limit, :4], kept_boxes[:limit, 4]
        merged.labels = labels[kept][:limit]
        return merged

    def _add_masks(
        self, instances: InstanceData, maps: list[Maps], metas: list[dict]
    ) -> InstanceData:
        """Masks for merged boxes, which are in the unflipped first view and leave it here."""
        roi_head, views = self.module.roi_head, []
        is_cascade = isinstance(roi_head, CascadeRoIHead)
        mask_predictions = instances.bboxes.new_zeros(0)
        if len(instances):
            for view, meta in zip(maps, metas, strict=True):
                rois = bbox2roi([_from_first(instances.bboxes, meta, metas[0])])
                stages = self._mask_logits(view, rois)
                dims = _FLIPPED_DIMS[_flip(meta)] if _flip(meta) else ()
                views.append([logits.flip(dims) if dims else logits for logits in stages])
            averaged = [torch.stack(stage).mean(dim=0) for stage in zip(*views, strict=True)]
            mask_predictions = averaged[0]
            if is_cascade:  # whose stages are averaged as probabilities
                mask_predictions = torch.stack([one.sigmoid() for one in averaged]).mean(dim=0)
        head = roi_head.mask_head[-1] if is_cascade else roi_head.mask_head
        (instances,) = head.predict_by_feat(
            mask_preds=[mask_predictions],
            results_list=[instances],
            batch_img_metas=[metas[0]],
            rcnn_test_cfg=roi_head.test_cfg,
            rescale=True,
            activate_map=is_cascade,
        )
        return instances

    def _mask_logits(self, maps: Maps, rois: Tensor) -> list[Tensor]:
        """Mask logits (R, K, S, S) of each stage that the detector would average."""
        head = self.module.roi_head
        if isinstance(head, HybridTaskCascadeRoIHead):
            options = dict(self._semantic(maps), training=False)
            return head._mask_forward(-1, maps, rois, **options)["mask_preds"]
        if isinstance(head, CascadeRoIHead):
            stages = range(head.num_stages)
            return [head._mask_forward(stage, maps, rois)["mask_preds"] for stage in stages]
        return [head._mask_forward(maps, rois)["mask_preds"]]

    def _semantic(self, maps: Maps) -> dict[str, Tensor]:
        """What the semantic branch of a hybrid task cascade, if it has one, adds to its heads."""
        head = self.module.roi_head
        if getattr(head, "with_semantic", False):
            return {"semantic_feat": head.semantic_head(maps)[1]}
        return {}

    def _has_dense_head(self) -> bool:
        head = getattr(self.module, "bbox_head", None)
        return (
            isinstance(head, BaseDenseHead)
            and "with_nms" in inspect.signature(head.predict_by_feat).parameters
        )


def _to_first(boxes: Tensor, meta: dict, first: dict) -> Tensor:
    """Bring boxes (N, 4) or (N, 4 K) from a view into the first one, unflipped."""
    if _flip(meta):
        boxes = bbox_flip(boxes, meta["img_shape"], _flip(meta))
    if meta["scale_factor"] == first["scale_factor"]:
        return boxes
    ratio = _scale(first, boxes) / _scale(meta, boxes)
    return (boxes.reshape(-1, 4) * ratio).reshape(boxes.shape)


def _from_first(boxes: Tensor, meta: dict, first: dict) -> Tensor:
    """The opposite of `_to_first`, boxes: (N, 4)."""
    if meta["scale_factor"] != first["scale_factor"]:
        boxes = boxes * (_scale(meta, boxes) / _scale(first, boxes))
    return bbox_flip(boxes, meta["img_shape"], _flip(meta)) if _flip(meta) else boxes


def _scale(meta: dict, like: Tensor) -> Tensor:
    """(4,) pixels of the view per pixel of the original image."""
    return like.new_tensor(meta["scale_factor"]).repeat(2)


def _flip(meta: dict) -> str | None:
    """The direction in which a view is flipped, or None."""
    return meta["flip_direction"] if meta.get("flip") else None
