"""Swin v2-T on ImageNet-1K at 256 pixels, windows of 8: published top-1 81.8.

Source of the figure: Swin's authors (github.com/microsoft/Swin-Transformer); recipe as Swin-T's.

    tools/dist_train.sh configs/swinv2_classifier_imagenet.py 8
"""

from mmengine.config import read_base

with read_base():
    from ._base_.classifier_imagenet import *

from vitdet.backbones import SwinTransformerV2

published = dict(
    top1=81.8,
    params=28,
    macs=5.9,
    size=(256, 256),
    num_classes=1000,
    source="microsoft/Swin-Transformer",
)

model.update(
    backbone=dict(
        type=SwinTransformerV2, arch="tiny", drop_path_rate=0.2, final_norm=True, out_indices=()
    )
)
optim_wrapper.update(clip_grad=dict(max_norm=5.0))
param_scheduler[0].update(end=20)
param_scheduler[1].update(begin=20, T_max=280)
train_dataloader["dataset"]["pipeline"][2].update(size=256)
for loader in (val_dataloader, test_dataloader):
    loader["dataset"]["pipeline"][2].update(size=292)
    loader["dataset"]["pipeline"][3].update(size=256)
