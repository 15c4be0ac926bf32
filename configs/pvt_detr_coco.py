"""DETR with PVT-Small on COCO, 50 epochs: published box AP 34.7 (arXiv:2102.12122, table 6).

ResNet-50 reaches 32.3 in the same table.

    tools/dist_train.sh configs/pvt_detr_coco.py 8
"""

from mmengine.config import read_base

with read_base():
    from .detr_coco import *

from vitdet.backbones import PyramidVisionTransformer

published = dict(box_ap=34.7, source="arXiv:2102.12122, table 6")

model["backbone"] = dict(
    type=PyramidVisionTransformer,
    arch="small",
    out_indices=(3,),
    init_cfg=dict(
        type="Pretrained",
        checkpoint="https://github.com/whai362/PVT/releases/download/v2/pvt_small.pth",
    ),
)
train_cfg.update(max_epochs=50)
param_scheduler[0].update(end=50, milestones=[33])
