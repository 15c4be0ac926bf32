"""Mask R-CNN with Focal-T on COCO, 1x schedule: published box AP 44.8, mask AP 41.0.

Source of the figures: the tables of Focal Transformer's repository (microsoft/Focal-Transformer);
in a 3x schedule 47.2 and 42.7. Its detection code was never published: this is the recipe of
Swin's authors, which they say they followed.

    tools/dist_train.sh configs/focal_maskrcnn_coco.py 8
"""

from mmengine.config import read_base

with read_base():
    from ._base_.datasets.coco_instance import *
    from ._base_.default_runtime import *
    from ._base_.models.mask_rcnn import *
    from ._base_.schedules.adamw_1x import *

from vitdet.backbones import FocalTransformer

published = dict(
    box_ap=44.8,
    mask_ap=41.0,
    params=48.8,
    macs=291,
    source="microsoft/Focal-Transformer",
)

model.update(
    backbone=dict(
        type=FocalTransformer,
        arch="tiny",
        # Windows of the last stage, too, see what is around them. In the images of 224 pixels that
        # the weights come from there is nothing, so these biases start fresh.
        pretrain_img_size=None,
        drop_path_rate=0.2,
        init_cfg=dict(
            type="Pretrained",
            checkpoint="https://projects4jw.blob.core.windows.net/model/focal-transformer/"
            "imagenet1k/focal-tiny-is224-ws7.pth",
        ),
    )
)
