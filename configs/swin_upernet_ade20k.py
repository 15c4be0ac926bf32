"""UperNet with Swin-T on ADE20K, 160,000 steps: published mIoU 44.5 at one scale.

Source of the figures: Swin's authors (SwinTransformer/Swin-Transformer-Semantic-Segmentation),
whose recipe this is (arXiv:2103.14030, appendix A2). Merging scales of 0.5 to 1.75 and mirror
images (`test.py --tta`) they reach 45.8.

    tools/dist_train.sh configs/swin_upernet_ade20k.py 8
    python tools/train.py configs/swin_upernet_ade20k.py --data path/to/my_data --auto-scale-lr
"""

from mmengine.config import read_base

with read_base():
    from ._base_.datasets.ade20k import *
    from ._base_.models.upernet import *
    from ._base_.schedules.adamw_160k import *
    from ._base_.segmentation_runtime import *

from vitdet.backbones import SwinTransformer

published = dict(
    miou=44.5,
    params=60,
    macs=945,
    num_classes=150,
    size=(2048, 512),
    source="Swin-Transformer-Semantic-Segmentation",
)

model.update(
    backbone=dict(
        type=SwinTransformer,
        arch="tiny",
        drop_path_rate=0.3,
        init_cfg=dict(
            type="Pretrained",
            checkpoint="https://github.com/SwinTransformer/storage/releases/download/v1.0.0/"
            "swin_tiny_patch4_window7_224.pth",
        ),
    )
)
