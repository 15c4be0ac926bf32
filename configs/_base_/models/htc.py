"""Hybrid Task Cascade with FPN (Chen et al. 2019, arXiv:1901.07518), without its semantic branch.

Cascade Mask R-CNN whose mask heads, too, come one after another. The semantic branch learns from
COCO's stuff maps, which a folder of one's own does not have; left out as in mmdet's
htc-without-semantic. Left open, and filled in by `vitdet.engine.load_config`: the backbone, the
neck's `in_channels` and every `num_classes`.
"""

from mmengine.config import read_base

with read_base():
    from .cascade_mask_rcnn import *

from mmdet.models.detectors import HybridTaskCascade
from mmdet.models.roi_heads import HybridTaskCascadeRoIHead
from vitdet.detectors import HTCMaskHead

model.update(type=HybridTaskCascade)
model["roi_head"].update(type=HybridTaskCascadeRoIHead, interleaved=True, mask_info_flow=True)
model["roi_head"]["mask_head"] = [
    dict(
        type=HTCMaskHead,
        with_conv_res=with_conv_res,
        num_convs=4,
        in_channels=256,
        conv_out_channels=256,
        loss_mask=dict(type=CrossEntropyLoss, use_mask=True, loss_weight=1.0),
    )
    for with_conv_res in (False, True, True)
]
model["test_cfg"]["rcnn"].update(score_thr=0.001)
