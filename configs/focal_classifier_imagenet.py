"""Focal-T on ImageNet-1K: published top-1 82.2.

Source of the figure: Yang et al. 2021 (arXiv:2107.00641, table 2); recipe as Swin's. "small"
reaches 83.5 (drop path 0.2), "base" 83.8 (0.3).

    tools/dist_train.sh configs/focal_classifier_imagenet.py 8
"""

from mmengine.config import read_base

with read_base():
    from ._base_.classifier_imagenet import *

from vitdet.backbones import FocalTransformer

published = dict(
    top1=82.2,
    params=28.9,
    macs=4.9,
    size=(224, 224),
    num_classes=1000,
    source="microsoft/Focal-Transformer",
)

model.update(
    backbone=dict(
        type=FocalTransformer, arch="tiny", drop_path_rate=0.2, final_norm=True, out_indices=()
    )
)
optim_wrapper.update(clip_grad=dict(max_norm=5.0))
param_scheduler[0].update(end=20)
param_scheduler[1].update(begin=20, T_max=280)
