"""Semantic FPN with PVTv2-B2 on ADE20K, 40,000 steps: published mIoU 45.2.

Source of the figures: Wang et al. 2022 (arXiv:2106.13797, table 5). The recipe is that of PVT by
the same authors; of PVTv2 they publish no segmentation config. Of the other sizes,
`model.backbone.arch` and the weights' name, the paper gives b0 37.2, b1 42.5, b2_linear 45.1,
b3 47.3, b4 47.9 and b5 48.7.

    tools/dist_train.sh configs/pvtv2_semanticfpn_ade20k.py 8
    python tools/train.py configs/pvtv2_semanticfpn_ade20k.py --data path/to/my_data --auto-scale-lr
"""

from mmengine.config import read_base

with read_base():
    from .pvt_semanticfpn_ade20k import *

from vitdet.backbones import PyramidVisionTransformerV2

published = dict(
    miou=45.2,
    params=29.1,
    macs=45.8,
    num_classes=150,
    size=(512, 512),
    source="arXiv:2106.13797, table 5",
)

model.update(
    backbone=dict(
        type=PyramidVisionTransformerV2,
        arch="b2",
        drop_path_rate=0.1,
        init_cfg=dict(
            type="Pretrained",
            checkpoint="https://github.com/whai362/PVT/releases/download/v2/pvt_v2_b2.pth",
        ),
    )
)
