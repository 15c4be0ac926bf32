"""Mask R-CNN with PVT v2 B2 on COCO, 1x schedule: published box AP 45.3, mask AP 41.2.

Source of the figures: PVT's authors (github.com/whai362/PVT, detection/README.md), whose recipe
this is. Of the other sizes, `model.backbone.arch` and the weights' name, they give b0 38.2 and
36.2, b1 41.8 and 38.8, b2_linear 44.1 and 40.5 (weights pvt_v2_b2_li.pth), b3 47.0 and 42.5, b4
47.5 and 42.7, b5 47.4 and 42.5, these two at 8 images a step and 1/1.4 of the learning rate.

    tools/dist_train.sh configs/pvtv2_maskrcnn_coco.py 8
    python tools/train.py configs/pvtv2_maskrcnn_coco.py --data path/to/my_data --auto-scale-lr
"""

from mmengine.config import read_base

with read_base():
    from .pvt_maskrcnn_coco import *

from vitdet.backbones import PyramidVisionTransformerV2

published = dict(
    box_ap=45.3,
    mask_ap=41.2,
    params=45.0,
    source="whai362/PVT; size: arXiv:2106.13797, table 3",
)

model.update(
    backbone=dict(
        type=PyramidVisionTransformerV2,
        arch="b2",
        drop_path_rate=0.1,
        init_cfg=dict(
            type="Pretrained",
            checkpoint="https://github.com/whai362/PVT/releases/download/v2/pvt_v2_b2.pth",
        ),
    )
)
