"""The region proposal network (Ren et al. 2015, arXiv:1506.01497), for whole batches.

Parameters, losses and proposals are those of mmdet's `RPNHead`. Where the host waits there for the
device in every image, level and object, here it does so twice: at the end of suppression, and for
the number of proposals.
"""

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.dense_heads import RPNHead as MmdetRPNHead
from mmdet.models.losses import CrossEntropyLoss
from mmengine.structures import InstanceData
from torch import Tensor

from vitdet.detectors.anchors_of_heads import Maps, anchors_of, assigned_anchors, flat
from vitdet.device import to_device
from vitdet.rcnn import assignment, box_deltas, sampling
from vitdet.rcnn.suppression import nms_of_groups
from vitdet.registry import MODELS


@MODELS.register_module()
class RPNHead(MmdetRPNHead):
    """Scores anchors and moves them; takes mmdet's arguments and checkpoints.

    An assigner, sampler, box coder, loss or suppression other than those of the published recipes
    is left to mmdet.
    """

    def loss_by_feat(
        self,
        cls_scores: Maps,
        bbox_preds: Maps,
        batch_gt_instances: Sequence[InstanceData],
        batch_img_metas: Sequence[dict[str, Any]],
        batch_gt_instances_ignore: Sequence[InstanceData | None] | None = None,
    ) -> dict[str, Any]:
        """Losses of scores and boxes, of the anchors that were sampled.

        Args:
            cls_scores: logits (B, A, H_l, W_l) of each level.
            bbox_preds: deltas (B, 4 * A, H_l, W_l) of each level.
            batch_gt_instances: `bboxes` and `labels` of each image.
            batch_img_metas: `img_shape` and `pad_shape` of each image.
            batch_gt_instances_ignore: `bboxes` of regions in which nothing is background.
        """
        given = (batch_gt_instances, batch_img_metas, batch_gt_instances_ignore)
        if not self._knows_training():
            return super().loss_by_feat(cls_scores, bbox_preds, *given)
        anchors = anchors_of(self, cls_scores)
        objects, assigned = assigned_anchors(self, anchors, *given)
        samples = sampling.sample(assigned, self.sampler)

        is_object, is_there = samples.is_object.float(), samples.is_there.float()
        num_objects, num_samples = is_object.sum(1), is_there.sum(1)
        # mmdet counts one at least of each.
        total = (num_objects.clamp(min=1) + (num_samples - num_objects).clamp(min=1)).sum()
        weights = is_there
        if self.train_cfg["pos_weight"] > 0:
            weights = torch.where(samples.is_object, self.train_cfg["pos_weight"], is_there)
        logits = flat(cls_scores, 1).squeeze(-1).gather(1, samples.places)  # (B, S)
        loss_cls = self.loss_cls(
            logits.flatten(), samples.is_object.long().flatten(), weights.flatten(), total
        )

        places = samples.places[..., None].expand(-1, -1, 4)
        deltas = flat(bbox_preds, 4).gather(1, places)  # (B, S, 4)
        boxes = anchors.boxes.expand(len(deltas), -1, -1).gather(1, places)
        own = assigned.gather(1, samples.places).sub_(1).clamp_(min=0)
        targets = objects.boxes.gather(1, own[..., None].expand(-1, -1, 4))
        targets = torch.where(samples.is_object[..., None], targets, boxes)
        if self.reg_decoded_bbox:
            deltas = box_deltas.decode(self.bbox_coder, boxes, deltas)
        else:
            targets = box_deltas.encode(self.bbox_coder, boxes, targets)
        # Background is right about its box. With weights mmdet's losses ask whether any is not 0.
        deltas = torch.where(samples.is_object[..., None], deltas, targets)
        loss_bbox = self.loss_bbox(deltas.flatten(0, 1), targets.flatten(0, 1), avg_factor=total)
        return dict(loss_rpn_cls=loss_cls, loss_rpn_bbox=loss_bbox)

    @torch.no_grad()
    def predict_by_feat(
        self,
        cls_scores: Maps,
        bbox_preds: Maps,
        score_factors: None = None,
        batch_img_metas: Sequence[dict[str, Any]] | None = None,
        cfg: Any = None,
        rescale: bool = False,
        with_nms: bool = True,
    ) -> list[InstanceData]:
        """Proposals of each image, the best first: `bboxes` (P, 4), `scores`, `labels`, all 0."""
        config = self.test_cfg if cfg is None else cfg
        if rescale or not (with_nms and self._knows_suppression(config)):
            return super().predict_by_feat(
                cls_scores, bbox_preds, score_factors, batch_img_metas, cfg, rescale, with_nms
            )
        anchors = anchors_of(self, cls_scores)
        logits = flat(cls_scores, 1).squeeze(-1).detach().float()
        scores, places, sizes = [], [], []
        begin = 0
        for level in logits.sigmoid().split(anchors.level_sizes, dim=1):
            best, order = level.sort(dim=1, descending=True)
            limit = config.get("nms_pre", -1)
            sizes.append(min(limit, level.shape[1]) if limit > 0 else level.shape[1])
            scores.append(best[:, : sizes[-1]])
            places.append(order[:, : sizes[-1]] + begin)
            begin += level.shape[1]
        scores, places = torch.cat(scores, dim=1), torch.cat(places, dim=1)[..., None]
        places = places.expand(-1, -1, 4)
        deltas = flat(bbox_preds, 4).detach().gather(1, places)
        boxes = anchors.boxes.expand(len(deltas), -1, -1).gather(1, places)
        shapes = torch.tensor([meta["img_shape"][1::-1] for meta in batch_img_metas])
        limits = to_device(shapes, boxes.device)[:, None]
        boxes = box_deltas.decode(self.bbox_coder, boxes, deltas, limits)
        return self._suppressed(boxes, scores, sizes, config)

    def _suppressed(
        self, boxes: Tensor, scores: Tensor, sizes: list[int], config: Any
    ) -> list[InstanceData]:
        """The best of boxes: (B, N, 4) with scores: (B, N); `sizes` of them are of each level."""
        is_box = torch.ones_like(scores, dtype=torch.bool)
        if config.get("min_bbox_size", -1) >= 0:
            is_box = (boxes[..., 2:] - boxes[..., :2] > config["min_bbox_size"]).all(dim=-1)
            boxes = boxes * is_box[..., None]
        keep = nms_of_groups(
            boxes.flatten(0, 1),
            scores.flatten(),
            sizes * len(boxes),
            config["nms"]["iou_threshold"],
        ).view_as(is_box)
        keep &= is_box
        best, order = torch.where(keep, scores, -1.0).sort(dim=1, descending=True, stable=True)
        counts = keep.sum(dim=1).clamp(max=config["max_per_img"]).tolist()
        results = []
        for image, count in enumerate(counts):
            chosen = order[image, :count]
            results.append(
                InstanceData(
                    bboxes=boxes[image].index_select(0, chosen),
                    scores=best[image, :count],
                    labels=torch.zeros_like(chosen),
                )
            )
        return results

    def _knows_training(self) -> bool:
        return (
            assignment.is_known(self.assigner)
            and sampling.is_known(self.sampler)
            and box_deltas.is_known(self.bbox_coder)
            and isinstance(self.loss_cls, CrossEntropyLoss)
            and self.loss_cls.use_sigmoid
        )

    def _knows_suppression(self, config: Any) -> bool:
        is_plain = dict(config["nms"]).keys() == {"type", "iou_threshold"}
        is_known = is_plain and config["nms"]["type"] == "nms"
        return is_known and self.use_sigmoid_cls and box_deltas.is_known(self.bbox_coder)
