"""Cascade Mask R-CNN with FPN (Cai and Vasconcelos 2018, arXiv:1712.00726; arXiv:1906.09756).

Three heads one after another, each trained on the boxes of the one before, at IoU 0.5, 0.6, 0.7.
Left open, and filled in by `vitdet.engine.load_config`: the backbone, the neck's `in_channels` and
every `num_classes`.
"""

from mmengine.config import read_base

with read_base():
    from .mask_rcnn import *

from mmdet.models.detectors import CascadeRCNN
from mmdet.models.losses import SmoothL1Loss

from vitdet.detectors import CascadeRoIHead

model.merge(
    dict(
        type=CascadeRCNN,
        rpn_head=dict(loss_bbox=dict(type=SmoothL1Loss, beta=1.0 / 9.0)),
        roi_head=dict(type=CascadeRoIHead, num_stages=3, stage_loss_weights=[1, 0.5, 0.25]),
        train_cfg=dict(
            rpn=dict(allowed_border=0),
            rpn_proposal=dict(max_per_img=2000),
        ),
    )
)
model["roi_head"]["bbox_head"] = [
    dict(
        type=Shared2FCBBoxHead,
        in_channels=256,
        fc_out_channels=1024,
        roi_feat_size=7,
        bbox_coder=dict(type=DeltaXYWHBBoxCoder, target_means=[0.0] * 4, target_stds=target_stds),
        reg_class_agnostic=True,
        loss_cls=dict(type=CrossEntropyLoss, use_sigmoid=False, loss_weight=1.0),
        loss_bbox=dict(type=SmoothL1Loss, beta=1.0, loss_weight=1.0),
    )
    for target_stds in ([0.1, 0.1, 0.2, 0.2], [0.05, 0.05, 0.1, 0.1], [0.033, 0.033, 0.067, 0.067])
]
model["train_cfg"]["rcnn"] = [
    dict(
        assigner=dict(
            type=MaxIoUAssigner,
            pos_iou_thr=iou,
            neg_iou_thr=iou,
            min_pos_iou=iou,
            match_low_quality=False,
            ignore_iof_thr=-1,
        ),
        sampler=dict(
            type=RandomSampler,
            num=512,
            pos_fraction=0.25,
            neg_pos_ub=-1,
            add_gt_as_proposals=True,
        ),
        mask_size=28,
        pos_weight=-1,
        debug=False,
    )
    for iou in (0.5, 0.6, 0.7)
]
