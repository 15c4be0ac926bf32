"""UperNet with Swin-S on ADE20K, 160,000 steps: published mIoU 47.6 at one scale.

Source of the figures: Swin's authors (SwinTransformer/Swin-Transformer-Semantic-Segmentation);
merging several scales they reach 49.5.

    tools/dist_train.sh configs/swin_small_upernet_ade20k.py 8
"""

from mmengine.config import read_base

with read_base():
    from .swin_upernet_ade20k import *

published.update(miou=47.6, params=81, macs=1038)

model["backbone"].update(arch="small")
model["backbone"]["init_cfg"].update(
    checkpoint="https://github.com/SwinTransformer/storage/releases/download/v1.0.0/"
    "swin_small_patch4_window7_224.pth"
)
