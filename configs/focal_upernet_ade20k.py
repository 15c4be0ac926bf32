"""UperNet with Focal-T on ADE20K, 160,000 steps: published mIoU 45.8 at one scale.

Source of the figures: Focal's authors (microsoft/Focal-Transformer); merging several scales they
reach 47.0. Their segmentation configs are not published: the recipe here is Swin's, which the paper
names (arXiv:2107.00641, section 4.3).

    tools/dist_train.sh configs/focal_upernet_ade20k.py 8
    python tools/train.py configs/focal_upernet_ade20k.py --data path/to/my_data --auto-scale-lr
"""

from mmengine.config import read_base

with read_base():
    from ._base_.datasets.ade20k import *
    from ._base_.models.upernet import *
    from ._base_.schedules.adamw_160k import *
    from ._base_.segmentation_runtime import *

from vitdet.backbones import FocalTransformer

published = dict(
    miou=45.8,
    params=62,
    macs=998,
    num_classes=150,
    size=(2048, 512),
    source="microsoft/Focal-Transformer",
)

model.update(
    backbone=dict(
        type=FocalTransformer,
        arch="tiny",
        drop_path_rate=0.3,
        # Windows of the last stage, too, see what is around them. In the images of 224 pixels that
        # the weights come from there is nothing, so these biases start fresh.
        pretrain_img_size=None,
        init_cfg=dict(
            type="Pretrained",
            checkpoint="https://projects4jw.blob.core.windows.net/model/focal-transformer/"
            "imagenet1k/focal-tiny-is224-ws7.pth",
        ),
    )
)
