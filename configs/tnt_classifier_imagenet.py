"""TNT-S on ImageNet-1K: published top-1 81.5.

Source of the figure and of DeiT's recipe for it: Han et al. 2021 (arXiv:2103.00112, section 3.2 and
table 4). "base" reaches 82.9.

    tools/dist_train.sh configs/tnt_classifier_imagenet.py 8
"""

from mmengine.config import read_base

with read_base():
    from ._base_.classifier_imagenet import *

from vitdet.backbones import TNT

published = dict(
    top1=81.5,
    params=23.8,
    macs=5.2,
    size=(224, 224),
    num_classes=1000,
    source="arXiv:2103.00112, table 4",
)

model.update(
    backbone=dict(type=TNT, arch="small", drop_path_rate=0.1, final_norm=True, out_indices=())
)
