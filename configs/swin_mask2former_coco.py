"""Mask2Former with Swin-T for instances of COCO, 50 epochs: published box AP 47.7, mask AP 44.7.

Source of the figures: mmdet 3.3, configs/mask2former, whose recipe this is; its weights load.

    tools/dist_train.sh configs/swin_mask2former_coco.py 8
    python tools/train.py configs/swin_mask2former_coco.py --data path/to/my_data --auto-scale-lr
"""

from mmengine.config import read_base

with read_base():
    from ._base_.datasets.coco_instance_lsj import *
    from ._base_.default_runtime import *
    from ._base_.models.mask2former import *
    from ._base_.schedules.mask2former_50e import *

from vitdet.backbones import SwinTransformer

published = dict(box_ap=47.7, mask_ap=44.7, source="mmdet 3.3")

model.update(
    backbone=dict(
        type=SwinTransformer,
        arch="tiny",
        drop_path_rate=0.3,
        init_cfg=dict(
            type="Pretrained",
            checkpoint="https://github.com/SwinTransformer/storage/releases/download/v1.0.0/"
            "swin_tiny_patch4_window7_224.pth",
        ),
    )
)
