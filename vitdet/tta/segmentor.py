"""A segmentor that looks at several views of an image and averages what it finds in each pixel.

mmseg's `SegTTAModel` keeps the logits of all views, 2.5 GB for 150 classes in twelve views of
683x512 pixels, and takes the probabilities of binary models and of Mask2Former for logits.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmdet.models.dense_heads import MaskFormerHead
from mmengine.model import BaseTTAModel
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import Tensor


class AugmentedSegmentor(BaseTTAModel):
    """A segmentor of mmseg's that averages probabilities over scaled and flipped views.

    Args:
        module: the segmentor, or its config.
    """

    def test_step(self, data: Mapping[str, Sequence[Any]]) -> list[SegDataSample]:
        """Predict for a batch of which `data` holds one entry per view, each a batch of its own."""
        num_views = len(data["inputs"])
        merged: list[SegDataSample] = []
        sums: list[Tensor] = []
        for view in range(num_views):
            samples = self.module.test_step({key: value[view] for key, value in data.items()})
            found = [self._probabilities(sample.seg_logits.data) for sample in samples]
            for sample in samples:
                del sample.seg_logits
            if merged:
                sums = [one.add_(other) for one, other in zip(sums, found, strict=True)]
            else:
                merged, sums = samples, found
        for sample, total in zip(merged, sums, strict=True):
            if len(total) == 1:
                labels = (total / num_views > self.module.decode_head.threshold).to(total)
            else:
                labels = total.argmax(dim=0, keepdim=True)
            sample.pred_sem_seg = PixelData(data=labels)
        return merged

    def merge_preds(self, data_samples_list: Any) -> Any:
        """mmengine's way, which needs the predictions of all views at once; not used here."""
        raise NotImplementedError("views are merged in test_step")

    def _probabilities(self, logits: Tensor) -> Tensor:
        """(K, H, W) of the same shape: what a segmentor calls logits are not always such."""
        has_probabilities = len(logits) == 1 or isinstance(self.module.decode_head, MaskFormerHead)
        return logits if has_probabilities else torch.softmax(logits, dim=0)
