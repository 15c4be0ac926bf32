"""mmdet's mask heads, predicting on channels-last maps on a CPU and pasting masks box by box."""

from collections.abc import Mapping
from typing import Any

import torch
from mmdet.models.roi_heads.mask_heads import FCNMaskHead as MMFCNMaskHead
from mmdet.models.roi_heads.mask_heads import HTCMaskHead as MMHTCMaskHead
from torch import Tensor

from vitdet.evaluation.mask_pasting import paste_masks
from vitdet.registry import MODELS


class _FasterMasks:
    """What a mask head of mmdet does here in another way, with the same results."""

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Any:
        """Compute mask logits (N, num_classes, 2 h, 2 w) of regions x: (N, C, h, w)."""
        if not torch.is_grad_enabled() and x.device.type == "cpu":
            # Convolutions take a tenth less time then, the one that enlarges masks half of it.
            x = x.contiguous(memory_format=torch.channels_last)
        return super().forward(x, *args, **kwargs)

    def _predict_by_feat_single(
        self,
        mask_preds: Tensor,
        bboxes: Tensor,
        labels: Tensor,
        img_meta: Mapping[str, Any],
        rcnn_test_cfg: Mapping[str, Any],
        rescale: bool = False,
        activate_map: bool = False,
    ) -> Tensor:
        """Paste the masks of one image.

        Args:
            mask_preds: (N, num_classes, h, w) logits; with `activate_map` probabilities.
            bboxes: (N, 4) xyxy pixels of the model's input; brought to the original image in place
                if `rescale`, as mmdet's caller expects it.
            labels: (N,).

        Returns:
            (N, H, W) bool.
        """
        threshold = rcnn_test_cfg["mask_thr_binary"]
        if threshold <= 0:  # mmdet returns probabilities then
            return super()._predict_by_feat_single(
                mask_preds, bboxes, labels, img_meta, rcnn_test_cfg, rescale, activate_map
            )
        probabilities = bboxes.new_tensor(mask_preds) if activate_map else mask_preds
        chosen = 0 if self.class_agnostic else labels
        probabilities = probabilities[torch.arange(len(labels), device=labels.device), chosen]
        if not activate_map:
            probabilities = probabilities.sigmoid()
        height, width = img_meta["ori_shape"][:2]
        scale_x, scale_y = img_meta["scale_factor"]
        if rescale:
            bboxes /= bboxes.new_tensor([scale_x, scale_y, scale_x, scale_y])
        else:
            height, width = round(height * scale_y), round(width * scale_x)
        return paste_masks(probabilities, bboxes, (height, width), threshold=threshold)


@MODELS.register_module()
class FCNMaskHead(_FasterMasks, MMFCNMaskHead):
    """The mask head of Mask R-CNN and Cascade Mask R-CNN; parameters as mmdet's."""


@MODELS.register_module()
class HTCMaskHead(_FasterMasks, MMHTCMaskHead):
    """The mask head of HTC; parameters as mmdet's."""
