"""Mask R-CNN with Swin-B on COCO, 3x schedule with multi-scale crops.

Swin's authors publish no Mask R-CNN with Swin-B; with Cascade Mask R-CNN it reaches 51.9 / 45.0
(arXiv:2103.14030, table 2). The drop path rate is the one of that model.

    tools/dist_train.sh configs/swin_base_maskrcnn_coco_3x.py 8
"""

from mmengine.config import read_base

with read_base():
    from .swin_maskrcnn_coco_3x import *

published = None

model["backbone"].update(arch="base", drop_path_rate=0.3)
model["backbone"]["init_cfg"].update(
    checkpoint="https://github.com/SwinTransformer/storage/releases/download/v1.0.0/"
    "swin_base_patch4_window7_224.pth"
)
