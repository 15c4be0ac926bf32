"""Mask R-CNN with Swin-T on COCO, 1x schedule: published box AP 42.7, mask AP 39.3.

Source of the figures: mmdet 3.3, configs/swin, whose recipe this is. With multi-scale crops in a 1x
schedule Swin's authors reach 43.7 and 39.8.

    tools/dist_train.sh configs/swin_maskrcnn_coco.py 8
    python tools/train.py configs/swin_maskrcnn_coco.py --data path/to/my_data --auto-scale-lr
"""

from mmengine.config import read_base

with read_base():
    from ._base_.datasets.coco_instance import *
    from ._base_.default_runtime import *
    from ._base_.models.mask_rcnn import *
    from ._base_.schedules.adamw_1x import *

from vitdet.backbones import SwinTransformer

published = dict(
    box_ap=42.7, mask_ap=39.3, params=48, macs=267, source="mmdet 3.3; size: Swin's authors"
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
