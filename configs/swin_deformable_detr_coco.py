"""Deformable DETR with Swin-T on COCO, two-stage with box refinement, 50 epochs.

No figure is published for this pair; by the same recipe ResNet-50 reaches box AP 47.0 (mmdet 3.3).
Images need at least 300 places on their maps for the 300 proposals: 160x160 pixels.

    tools/dist_train.sh configs/swin_deformable_detr_coco.py 16
    python tools/train.py configs/swin_deformable_detr_coco.py --data my_data --auto-scale-lr
"""

from mmengine.config import read_base

with read_base():
    from ._base_.datasets.coco_detr import *
    from ._base_.default_runtime import *
    from ._base_.models.deformable_detr import *
    from ._base_.schedules.deformable_detr_50e import *

from vitdet.backbones import SwinTransformer

published = dict()

model.update(
    backbone=dict(
        type=SwinTransformer,
        arch="tiny",
        out_indices=(1, 2, 3),
        drop_path_rate=0.2,
        init_cfg=dict(
            type="Pretrained",
            checkpoint="https://github.com/SwinTransformer/storage/releases/download/v1.0.0/"
            "swin_tiny_patch4_window7_224.pth",
        ),
    )
)
