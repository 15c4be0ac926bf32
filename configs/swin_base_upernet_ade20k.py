"""UperNet with Swin-B on ADE20K, 160,000 steps: published mIoU 48.1 at one scale.

Source of the figures: Swin's authors (SwinTransformer/Swin-Transformer-Semantic-Segmentation);
merging several scales they reach 49.7.

    tools/dist_train.sh configs/swin_base_upernet_ade20k.py 8
"""

from mmengine.config import read_base

with read_base():
    from .swin_upernet_ade20k import *

published.update(miou=48.1, params=121, macs=1188)

model["backbone"].update(arch="base")
model["backbone"]["init_cfg"].update(
    checkpoint="https://github.com/SwinTransformer/storage/releases/download/v1.0.0/"
    "swin_base_patch4_window7_224.pth"
)
