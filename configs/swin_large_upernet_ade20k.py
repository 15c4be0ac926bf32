"""UperNet with Swin-L on ADE20K, 160,000 steps of 640x640 pixels: published mIoU 52.1 at one scale.

Source of the figures: Swin's authors (microsoft/Swin-Transformer). The backbone is pre-trained on
ImageNet-22k; merging several scales they reach 53.5.

    tools/dist_train.sh configs/swin_large_upernet_ade20k.py 8
"""

from mmengine.config import read_base

with read_base():
    from .swin_upernet_ade20k import *

published = dict(miou=52.1, num_classes=150, size=(640, 640), source="microsoft/Swin-Transformer")

model["backbone"].update(arch="large")
model["backbone"]["init_cfg"].update(
    checkpoint="https://github.com/SwinTransformer/storage/releases/download/v1.0.0/"
    "swin_large_patch4_window7_224_22k.pth"
)
train_dataloader["dataset"]["pipeline"][2].update(scale=(2560, 640))
train_dataloader["dataset"]["pipeline"][3].update(crop_size=(640, 640))
for loader in (val_dataloader, test_dataloader):
    loader["dataset"]["pipeline"][1].update(scale=(2560, 640))
