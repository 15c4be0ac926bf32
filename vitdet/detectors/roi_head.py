"""The second stage of R-CNN (He et al. 2017, arXiv:1703.06870), as mmdet has it, for whole batches.

Parameters, losses and predictions are those of mmdet's `StandardRoIHead`. In training the host
waits once for the device: for the number of regions with an object, and on each level. So it does
in a prediction for boxes, and once more for masks.
"""

from collections.abc import Sequence
from typing import Any

from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.roi_heads.mask_heads import FCNMaskHead
from mmdet.models.utils import unpack_gt_instances
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor, nn

from vitdet.rcnn import assignment, sampling
from vitdet.rcnn import box_losses as of_boxes
from vitdet.rcnn import mask_targets as of_masks
from vitdet.rcnn import roi_features as features
from vitdet.rcnn.objects import objects_of, padded
from vitdet.rcnn.roi_samples import RoISamples, sample_rois
from vitdet.registry import MODELS


@MODELS.register_module()
class RoIHead(StandardRoIHead):
    """Classifies proposals, moves them and predicts masks; takes mmdet's arguments and checkpoints.

    Parts other than those of the published recipes are trained in mmdet's way.
    """

    def loss(
        self,
        x: Sequence[Tensor],
        rpn_results_list: Sequence[InstanceData],
        batch_data_samples: Sequence[DetDataSample],
    ) -> dict[str, Tensor]:
        """Losses by name, and `acc`, the share of regions whose class was found, in percent.

        Args:
            x: maps (B, C, H_l, W_l) of each level.
            rpn_results_list: `bboxes` of each image's proposals.
            batch_data_samples: with `gt_instances`, whose `masks` are bitmaps, and
                `ignored_instances`.
        """
        instances, ignored, _ = unpack_gt_instances(batch_data_samples)
        if not self._knows_training(instances):
            return super().loss(x, rpn_results_list, batch_data_samples)
        proposals = padded([each.bboxes for each in rpn_results_list])
        samples = sample_rois(
            proposals.boxes,
            proposals.is_there,
            objects_of(instances, ignored),
            assigner=self.bbox_assigner,
            sampler=self.bbox_sampler,
            num_classes=self.bbox_head.num_classes,
            num_levels=self.bbox_roi_extractor.num_inputs,
            level_of=lambda rois: features.levels_of(self.bbox_roi_extractor, rois),
        )
        found = features.roi_features(self.bbox_roi_extractor, x, samples.rois, samples.level_sizes)
        logits, deltas = self.bbox_head(found)
        losses = of_boxes.box_losses(
            self.bbox_head, logits, deltas, samples, object_weight=self.train_cfg["pos_weight"]
        )
        if self.with_mask:
            if self.share_roi_extractor:
                found = samples.positive(found)
            else:
                found = positive_features(self.mask_roi_extractor, x, samples)
            losses["loss_mask"] = mask_loss(
                self.mask_head, found, samples, instances, self.train_cfg["mask_size"]
            )
        return losses

    def _bbox_forward(self, x: Sequence[Tensor], rois: Tensor) -> dict[str, Tensor]:
        """Logits and deltas of rois: (R, 5)."""
        if self.with_shared_head:
            return super()._bbox_forward(x, rois)
        found = features.features_of(self.bbox_roi_extractor, x, rois)
        logits, deltas = self.bbox_head(found)
        return dict(cls_score=logits, bbox_pred=deltas, bbox_feats=found)

    def _mask_forward(
        self,
        x: Sequence[Tensor],
        rois: Tensor | None = None,
        pos_inds: Tensor | None = None,
        bbox_feats: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Mask logits of rois: (R, 5), or of some of the boxes' features."""
        if rois is None or self.with_shared_head:
            return super()._mask_forward(x, rois, pos_inds, bbox_feats)
        found = features.features_of(self.mask_roi_extractor, x, rois)
        return dict(mask_preds=self.mask_head(found), mask_feats=found)

    def _knows_training(self, instances: Sequence[InstanceData]) -> bool:
        is_known = (
            not self.with_shared_head
            and knows_matching(self.bbox_assigner, self.bbox_sampler)
            and features.is_known(self.bbox_roi_extractor)
            and of_boxes.are_known(self.bbox_head)
        )
        if not (is_known and self.with_mask):
            return is_known
        return (
            knows_masks(self.mask_head, self.train_cfg, instances)
            and features.is_known(self.mask_roi_extractor)
            and features.are_alike(self.bbox_roi_extractor, self.mask_roi_extractor)
        )


def knows_matching(assigner: Any, sampler: Any) -> bool:
    return assignment.is_known(assigner) and sampling.is_known(sampler)


def knows_masks(head: nn.Module, train_cfg: Any, instances: Sequence[InstanceData]) -> bool:
    """Whether `mask_loss` computes what this head does, with these masks."""
    return (
        isinstance(head, FCNMaskHead)
        and type(head).loss_and_target is FCNMaskHead.loss_and_target
        and type(head).get_targets is FCNMaskHead.get_targets
        and not train_cfg.get("soft_mask_target", False)
        and of_masks.are_known([each.masks for each in instances])
    )


def positive_features(extractor: nn.Module, maps: Sequence[Tensor], samples: RoISamples) -> Tensor:
    """Features (P, C, size, size) of the regions with an object."""
    rois = samples.positive(samples.rois)
    return features.roi_features(extractor, maps, rois, samples.positive_level_sizes)


def mask_loss(
    head: FCNMaskHead,
    found: Tensor,
    samples: RoISamples,
    instances: Sequence[InstanceData],
    size: int | tuple[int, int],
) -> Tensor:
    """Loss of the masks that are predicted from found: (P, C, size, size)."""
    logits = head(found)
    if len(logits) == 0:
        return logits.sum()
    targets = of_masks.mask_targets(
        [each.masks for each in instances],
        samples.positive(samples.objects),
        samples.positive(samples.rois)[:, 1:],
        size,
    )
    labels = samples.positive(samples.labels)
    return head.loss_mask(logits, targets, labels * (not head.class_agnostic))
