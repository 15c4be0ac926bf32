"""RetinaNet's head (Lin et al. 2017, arXiv:1708.02002), as mmdet has it, for whole batches.

Parameters, losses and predictions are those of mmdet's `RetinaHead`; its losses wait for nothing.
"""

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.dense_heads import RetinaHead as MmdetRetinaHead
from mmdet.models.losses import FocalLoss
from mmdet.models.task_modules.samplers import PseudoSampler
from mmengine.structures import InstanceData
from torch import Tensor

from vitdet.detectors.anchors_of_heads import anchors_of, assigned_anchors, flat
from vitdet.rcnn import assignment, box_deltas
from vitdet.registry import MODELS


@MODELS.register_module()
class RetinaHead(MmdetRetinaHead):
    """Classifies and moves anchors; takes mmdet's arguments and checkpoints.

    An assigner, sampler, box coder or loss other than those of the published recipes is left to
    mmdet.
    """

    def loss_by_feat(
        self,
        cls_scores: Sequence[Tensor],
        bbox_preds: Sequence[Tensor],
        batch_gt_instances: Sequence[InstanceData],
        batch_img_metas: Sequence[dict[str, Any]],
        batch_gt_instances_ignore: Sequence[InstanceData | None] | None = None,
    ) -> dict[str, Any]:
        """Losses of scores, one for each level, and of boxes.

        Args:
            cls_scores: logits (B, A * K, H_l, W_l) of each level.
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
        is_object = assigned > 0  # (B, N)
        own = (assigned - 1).clamp(min=0)
        labels = torch.where(is_object, objects.labels.gather(1, own), self.num_classes)
        weights = (assigned >= 0).float()
        if self.train_cfg["pos_weight"] > 0:
            weights = torch.where(is_object, self.train_cfg["pos_weight"], weights)
        total = is_object.sum(1).clamp(min=1).sum()  # mmdet counts one at least of each image

        loss_cls = []
        levels = (each.split(anchors.level_sizes, dim=1) for each in (labels, weights))
        for scores, own_labels, own_weights in zip(cls_scores, *levels, strict=True):
            logits = flat([scores], self.num_classes).flatten(0, 1)
            targets = own_labels.flatten()
            if logits.device.type == "cpu":  # where mmdet checks labels, to make them this
                targets = (targets[:, None] == torch.arange(self.num_classes)).long()
            loss_cls.append(self.loss_cls(logits, targets, own_weights.flatten(), total))

        boxes = anchors.boxes.expand(len(labels), -1, -1)
        targets = objects.boxes.gather(1, own[..., None].expand(-1, -1, 4))
        targets = torch.where(is_object[..., None], targets, boxes)
        targets = box_deltas.encode(self.bbox_coder, boxes, targets)
        # Background is right about its box. With weights mmdet's losses ask whether any is not 0.
        deltas = torch.where(is_object[..., None], flat(bbox_preds, 4), targets)
        loss_bbox = self.loss_bbox(deltas.flatten(0, 1), targets.flatten(0, 1), avg_factor=total)
        return dict(loss_cls=loss_cls, loss_bbox=loss_bbox)

    def _knows_training(self) -> bool:
        return (
            assignment.is_known(self.assigner)
            and type(self.sampler) is PseudoSampler
            and box_deltas.is_known(self.bbox_coder)
            and type(self.loss_cls) is FocalLoss
            and not (self.loss_cls.activated or self.reg_decoded_bbox)
        )
