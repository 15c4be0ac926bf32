"""Hybrid Task Cascade (Chen et al. 2019, arXiv:1901.07518) as a function of pixels."""

from collections.abc import Sequence

import torch.nn.functional as F
from mmdet.models.roi_heads import HybridTaskCascadeRoIHead
from mmdet.models.roi_heads.mask_heads import HTCMaskHead as MmdetHTCMaskHead
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from torch import Tensor, nn

from vitdet.deploy.region_detector import (
    ExportedRCNN,
    features_of_regions,
    has_known_parts,
    probabilities,
)
from vitdet.detectors.fcn_mask_head import HTCMaskHead


def is_htc(model: nn.Module) -> bool:
    """Whether `ExportedHTC` computes what this model does."""
    if not has_known_parts(
        model, heads=[HybridTaskCascadeRoIHead], mask_heads=[HTCMaskHead, MmdetHTCMaskHead]
    ):
        return False
    head: HybridTaskCascadeRoIHead = model.roi_head
    is_fused = not head.with_semantic or set(head.semantic_fusion) == {"bbox", "mask"}
    return is_fused and (head.mask_info_flow or not head.with_mask)


class ExportedHTC(ExportedRCNN):
    """A cascade that adds semantic features to its regions', where it has them.

    Their map is the last one, after the neck's.
    """

    def _maps(self, images: Tensor) -> tuple[Tensor, ...]:
        maps, head = super()._maps(images), self.model.roi_head
        return (*maps, head.semantic_head(maps)[1]) if head.with_semantic else maps

    def _proposals(self, maps: Sequence[Tensor], limits: Tensor) -> tuple[Tensor, Tensor]:
        has_semantic = self.model.roi_head.with_semantic
        return super()._proposals(maps[:-1] if has_semantic else maps, limits)

    def _features(
        self, extractor: SingleRoIExtractor, maps: Sequence[Tensor], boxes: Tensor
    ) -> Tensor:
        found, head = super()._features(extractor, maps, boxes), self.model.roi_head
        if not head.with_semantic:
            return found
        semantic = features_of_regions(head.semantic_roi_extractor, maps[-1:], boxes)
        return found + F.adaptive_avg_pool2d(semantic, found.shape[2:])

    def _masks(self, maps: Sequence[Tensor], boxes: Tensor, labels: Tensor) -> Tensor:
        """Probabilities (B, N, h, w) of the last head, each of which hears of the one before."""
        features = self._features(self._stages[-1].mask_extractor, maps, boxes)
        heard = None
        for stage in self._stages:
            logits, heard = stage.mask_head(features, heard)
        return probabilities(stage.mask_head, logits, labels)
