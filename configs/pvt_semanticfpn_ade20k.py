"""Semantic FPN with PVT-S on ADE20K, 40,000 steps: published mIoU 41.9.

Source of the figure: PVT's authors (whai362/PVT, segmentation/README.md), whose recipe this is. Of
the other sizes, `model.backbone.arch` and the weights' name, they give tiny 36.6, medium 43.5 and
large 43.5. Their paper (arXiv:2102.12122, table 4), with 80,000 steps of half as many images, has
35.7, 39.8, 41.6 and 42.1 from tiny to large.

    tools/dist_train.sh configs/pvt_semanticfpn_ade20k.py 8
    python tools/train.py configs/pvt_semanticfpn_ade20k.py --data path/to/my_data --auto-scale-lr
"""

from mmengine.config import read_base

with read_base():
    from ._base_.datasets.ade20k import *
    from ._base_.models.semantic_fpn import *
    from ._base_.schedules.adamw_40k import *
    from ._base_.segmentation_runtime import *

from mmseg.datasets.transforms import ResizeToMultiple

from vitdet.backbones import PyramidVisionTransformer

published = dict(
    miou=41.9,
    params=28.2,
    macs=44.5,
    num_classes=150,
    size=(512, 512),
    source="whai362/PVT; size: arXiv:2102.12122, table 4",
)

model.update(
    backbone=dict(
        type=PyramidVisionTransformer,
        arch="small",
        drop_path_rate=0.1,
        init_cfg=dict(
            type="Pretrained",
            checkpoint="https://github.com/whai362/PVT/releases/download/v2/pvt_small.pth",
        ),
    )
)

# Their test images are enlarged to multiples of the largest stride.
for loader in (val_dataloader, test_dataloader):
    read, resize, *others = loader["dataset"]["pipeline"]
    loader["dataset"]["pipeline"] = [
        read,
        resize,
        dict(type=ResizeToMultiple, size_divisor=32),
        *others,
    ]
