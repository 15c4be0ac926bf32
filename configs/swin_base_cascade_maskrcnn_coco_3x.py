"""Cascade Mask R-CNN with Swin-B on COCO, 3x, multi-scale crops: box AP 51.9, mask AP 45.0.

Source of the figures: Swin's authors (Swin-Transformer-Object-Detection).

    tools/dist_train.sh configs/swin_base_cascade_maskrcnn_coco_3x.py 8
"""

from mmengine.config import read_base

with read_base():
    from .swin_cascade_maskrcnn_coco_3x import *

published = dict(
    box_ap=51.9,
    mask_ap=45.0,
    params=145,
    macs=982,
    source="Swin-Transformer-Object-Detection",
)

model["backbone"].update(arch="base", drop_path_rate=0.3)
model["backbone"]["init_cfg"].update(
    checkpoint="https://github.com/SwinTransformer/storage/releases/download/v1.0.0/"
    "swin_base_patch4_window7_224.pth"
)
