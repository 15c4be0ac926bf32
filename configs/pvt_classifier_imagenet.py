"""PVT-Small on ImageNet-1K: published top-1 79.8.

Source of the figure and of DeiT's recipe for it: Wang et al. 2021 (arXiv:2102.12122, section 5.1
and table 2). "tiny" reaches 75.1, "medium" 81.2, "large" 81.7 (drop path 0.3 for the last two).

    tools/dist_train.sh configs/pvt_classifier_imagenet.py 8
"""

from mmengine.config import read_base

with read_base():
    from ._base_.classifier_imagenet import *

from vitdet.backbones import PyramidVisionTransformer

model.update(
    backbone=dict(
        type=PyramidVisionTransformer,
        arch="small",
        drop_path_rate=0.1,
        final_norm=True,
        out_indices=(),
    )
)
