"""DeiT-S on ImageNet-1K, learning from a convolutional teacher: published top-1 81.2.

Source of the figures: Touvron et al. 2021 (arXiv:2012.12877, tables 5 and 9). The teacher, a
RegNetY-16GF of 82.9, decides about every image ("hard" distillation); it needs timm and is
downloaded when training starts. Without the line `distillation` and the distillation token it is
DeiT-S of 79.8.

    tools/dist_train.sh configs/deit_classifier_imagenet.py 8
"""

from mmengine.config import read_base

with read_base():
    from ._base_.classifier_imagenet import *

from timm import create_model

from vitdet.backbones import VisionTransformer
from vitdet.classification import Distillation
from vitdet.datasets.repeated_augmentation import RepeatedAugmentation

published = dict(
    top1=81.2,
    params=22,
    macs=4.6,
    size=(224, 224),
    num_classes=1000,
    source="arXiv:2012.12877, tables 5 and 9; multiply-adds: without the distillation token",
)

model.update(
    backbone=dict(
        type=VisionTransformer,
        arch="small",
        drop_path_rate=0.1,
        with_distillation_token=True,
        final_norm=True,
        out_indices=(),
    ),
    distillation=dict(
        type=Distillation,
        kind="hard",
        teacher=dict(type=create_model, model_name="regnety_160.deit_in1k", pretrained=True),
    ),
)
train_dataloader.update(sampler=dict(type=RepeatedAugmentation, num_repeats=3))
