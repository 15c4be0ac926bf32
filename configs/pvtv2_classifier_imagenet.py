"""PVT v2-B2 on ImageNet-1K: published top-1 82.0.

Source of the figure: Wang et al. 2022 (arXiv:2106.13797, table 2); recipe as PVT's. b0 reaches
70.5, b1 78.7, b2_linear 82.1, b3 83.1, b4 83.6, b5 83.8 (drop path 0.3 from b3 on).

    tools/dist_train.sh configs/pvtv2_classifier_imagenet.py 8
"""

from mmengine.config import read_base

with read_base():
    from ._base_.classifier_imagenet import *

from vitdet.backbones import PyramidVisionTransformerV2

published = dict(
    top1=82.0,
    params=25.4,
    macs=4.0,
    size=(224, 224),
    num_classes=1000,
    source="arXiv:2106.13797, table 2",
)

model.update(
    backbone=dict(
        type=PyramidVisionTransformerV2,
        arch="b2",
        drop_path_rate=0.1,
        final_norm=True,
        out_indices=(),
    )
)
