"""Sequencer2D-S on ImageNet-1K: published top-1 82.3.

Source of the figure: Tatsunami & Taki 2022 (arXiv:2205.01972, table 1), who warm up for 20 epochs.
"medium" reaches 82.8 (drop path 0.2), "large" 83.4 (0.4).

    tools/dist_train.sh configs/sequencer_classifier_imagenet.py 8
"""

from mmengine.config import read_base

with read_base():
    from ._base_.classifier_imagenet import *

from vitdet.backbones import Sequencer2D

published = dict(
    top1=82.3,
    params=28,
    macs=8.4,
    size=(224, 224),
    num_classes=1000,
    source="arXiv:2205.01972, table 1",
)

model.update(
    backbone=dict(
        type=Sequencer2D, arch="small", drop_path_rate=0.1, final_norm=True, out_indices=()
    )
)
param_scheduler[0].update(end=20)
param_scheduler[1].update(begin=20, T_max=280)
