"""Cascade Mask R-CNN with Swin-T on COCO, 3x, multi-scale crops: box AP 50.4, mask AP 43.7.

Heads of four convolutions and one linear layer, trained on the GIoU of decoded boxes. Source of the
figures: Swin's authors (Swin-Transformer-Object-Detection; arXiv:2103.14030, table 2).

    tools/dist_train.sh configs/swin_cascade_maskrcnn_coco_3x.py 8
"""

from mmengine.config import read_base

with read_base():
    from .swin_maskrcnn_coco_3x import *
    from ._base_.models.cascade_mask_rcnn import *

from mmdet.models.losses import GIoULoss
from mmdet.models.roi_heads.bbox_heads import ConvFCBBoxHead

published = dict(
    box_ap=50.4,
    mask_ap=43.7,
    params=86,
    macs=745,
    source="Swin-Transformer-Object-Detection",
)

model.update(
    backbone=dict(
        type=SwinTransformer,
        arch="tiny",
        drop_path_rate=0.2,
        init_cfg=dict(
            type="Pretrained",
            checkpoint="https://github.com/SwinTransformer/storage/releases/download/v1.0.0/"
            "swin_tiny_patch4_window7_224.pth",
        ),
    )
)
for head in model["roi_head"]["bbox_head"]:
    head.update(
        type=ConvFCBBoxHead,
        num_shared_convs=4,
        num_shared_fcs=1,
        conv_out_channels=256,
        norm_cfg=dict(type="SyncBN", requires_grad=True),
        reg_class_agnostic=False,
        reg_decoded_bbox=True,
    )
    head["loss_bbox"] = dict(type=GIoULoss, loss_weight=10.0)
