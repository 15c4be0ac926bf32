"""The stages of Cascade R-CNN (Cai and Vasconcelos 2018, arXiv:1712.00726), as mmdet has them.

Parameters, losses and predictions are those of mmdet's `CascadeRoIHead`. In training the host waits
once in each stage.
"""

from collections.abc import Sequence

import torch
from mmdet.models.roi_heads import CascadeRoIHead as MmdetCascadeRoIHead
from mmdet.models.utils import unpack_gt_instances
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from vitdet.detectors.roi_head import (
    knows_masks,
    knows_matching,
    mask_loss,
    positive_features,
)
from vitdet.device import to_device
from vitdet.rcnn import box_deltas
from vitdet.rcnn import box_losses as of_boxes
from vitdet.rcnn import roi_features as features
from vitdet.rcnn.objects import objects_of, padded
from vitdet.rcnn.roi_samples import RoISamples, sample_rois
from vitdet.registry import MODELS


@MODELS.register_module()
class CascadeRoIHead(MmdetCascadeRoIHead):
    """Heads one after another, each for the boxes of the one before; takes mmdet's checkpoints.

    Parts other than those of the published recipes are trained in mmdet's way.
    """

    def loss(
        self,
        x: Sequence[Tensor],
        rpn_results_list: Sequence[InstanceData],
        batch_data_samples: Sequence[DetDataSample],
    ) -> dict[str, Tensor]:
        """Losses by name, `s0.` and so on for the stages; arguments as of `RoIHead.loss`."""
        instances, ignored, metas = unpack_gt_instances(batch_data_samples)
        if not self._knows_training(instances):
            return super().loss(x, rpn_results_list, batch_data_samples)
        objects = objects_of(instances, ignored)
        boxes, is_box, _ = padded([each.bboxes for each in rpn_results_list])
        shapes = torch.tensor([meta["img_shape"][1::-1] for meta in metas])
        limits = to_device(shapes, boxes.device)
        losses = {}
        for stage, head in enumerate(self.bbox_head):
            extractor, config = self.bbox_roi_extractor[stage], self.train_cfg[stage]
            samples = sample_rois(
                boxes,
                is_box,
                objects,
                assigner=self.bbox_assigner[stage],
                sampler=self.bbox_sampler[stage],
                num_classes=head.num_classes,
                num_levels=extractor.num_inputs,
                level_of=lambda rois, extractor=extractor: features.levels_of(extractor, rois),
            )
            found = features.roi_features(extractor, x, samples.rois, samples.level_sizes)
            logits, deltas = head(found)
            own = of_boxes.box_losses(
                head, logits, deltas, samples, object_weight=config["pos_weight"]
            )
            if self.with_mask:
                if not self.share_roi_extractor:
                    found = positive_features(self.mask_roi_extractor[stage], x, samples)
                else:
                    found = samples.positive(found)
                masks = (samples, instances, config["mask_size"])
                own["loss_mask"] = mask_loss(self.mask_head[stage], found, *masks)
            weight = self.stage_loss_weights[stage]
            for name, value in own.items():
                losses[f"s{stage}.{name}"] = value * weight if "loss" in name else value
            if stage < self.num_stages - 1:
                boxes, is_box = moved(head, logits, deltas, samples, limits)
        return losses

    def _bbox_forward(self, stage: int, x: Sequence[Tensor], rois: Tensor) -> dict[str, Tensor]:
        """Logits and deltas of rois: (R, 5)."""
        found = features.features_of(self.bbox_roi_extractor[stage], x, rois)
        logits, deltas = self.bbox_head[stage](found)
        return dict(cls_score=logits, bbox_pred=deltas, bbox_feats=found)

    def _mask_forward(self, stage: int, x: Sequence[Tensor], rois: Tensor) -> dict[str, Tensor]:
        """Mask logits of rois: (R, 5)."""
        found = features.features_of(self.mask_roi_extractor[stage], x, rois)
        return dict(mask_preds=self.mask_head[stage](found))

    def _knows_training(self, instances: Sequence[InstanceData]) -> bool:
        for stage, head in enumerate(self.bbox_head):
            extractor = self.bbox_roi_extractor[stage]
            is_known = (
                knows_matching(self.bbox_assigner[stage], self.bbox_sampler[stage])
                and features.is_known(extractor)
                and of_boxes.are_known(head)
            )
            if is_known and self.with_mask:
                mask_extractor = self.mask_roi_extractor[stage]
                is_known = (
                    knows_masks(self.mask_head[stage], self.train_cfg[stage], instances)
                    and features.is_known(mask_extractor)
                    and features.are_alike(extractor, mask_extractor)
                )
            if not is_known:
                return False
        return not self.with_shared_head


@torch.no_grad()
def moved(
    head: torch.nn.Module, logits: Tensor, deltas: Tensor, samples: RoISamples, limits: Tensor
) -> tuple[Tensor, Tensor]:
    """The next stage's proposals (B, S, 4), and which of them are some (B, S).

    Regions that are objects' own boxes are left out.

    Args:
        head: which moved the regions.
        logits: (R, K + 1).
        deltas: (R, 4 * K), or (R, 4) for all classes the same; of an object the class is given, of
            background the most likely.
        samples: the R regions.
        limits: (B, 2) width and height of each image.
    """
    deltas = deltas.unflatten(1, (-1, 4))  # (R, K or 1, 4)
    if not head.reg_class_agnostic:
        likely = logits[:, :-1].argmax(dim=1)
        labels = torch.where(samples.labels == head.num_classes, likely, samples.labels)
        deltas = deltas.gather(1, labels[:, None, None].expand(-1, 1, 4))
    images = samples.rois[:, 0].long()
    boxes = box_deltas.decode(
        head.bbox_coder, samples.rois[:, 1:], deltas[:, 0], limits[images].float()
    )
    proposals = boxes.new_zeros(len(limits) * samples.num_slots, 4)
    proposals[samples.slots] = boxes
    is_proposal = torch.zeros_like(samples.are_objects)
    is_proposal[samples.slots] = ~samples.are_objects[samples.slots]
    shape = (len(limits), samples.num_slots)
    return proposals.view(*shape, 4), is_proposal.view(shape)
