"""PVT-Small on ImageNet-1K: published top-1 79.8.

Source of the figure and of DeiT's recipe for it: Wang et al. 2021 (arXiv:2102.12122, section 5.1
and table 2). "tiny" reaches 75.1, "medium" 81.2, "large" 81.7 (drop path 0.3 for the last two).

    tools/dist_train.sh configs/pvt_classifier_imagenet.py 8
"""

from mmengine.config import read_base

with read_base():
    from ._base_.classifier_imagenet import *

from vitdet.backbones import PyramidVisionTransformer

published = dict(
    top1=79.8,
    params=24.5,
    macs=3.8,
    size=(224, 224),
    num_classes=1000,
    source="arXiv:2102.12122, table 2",
)

model.update(
    backbone=dict(
        type=PyramidVisionTransformer,
        arch="small",
        drop_path_rate=0.1,
        final_norm=True,
        out_indices=(),
    )
)
