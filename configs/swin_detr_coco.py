"""DETR with Swin-T on COCO, 150 epochs, by the recipe of DETR with ResNet-50.

No figure is published for this pair.

    tools/dist_train.sh configs/swin_detr_coco.py 8
"""

from mmengine.config import read_base

with read_base():
    from .detr_coco import *

from vitdet.backbones import SwinTransformer

published = dict()

model["backbone"] = dict(
    type=SwinTransformer,
    arch="tiny",
    out_indices=(3,),
    drop_path_rate=0.2,
    init_cfg=dict(
        type="Pretrained",
        checkpoint="https://github.com/SwinTransformer/storage/releases/download/v1.0.0/"
        "swin_tiny_patch4_window7_224.pth",
    ),
)
