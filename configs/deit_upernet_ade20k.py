"""UperNet with DeiT-S on ADE20K, 160,000 steps: mmseg publishes mIoU 43.8 at one scale.

Its recipe (mmsegmentation 1.2.2, configs/vit), with one deviation: the maps of four depths come to
strides of 4, 8, 16 and 32 by transposed convolutions and pooling, there by resizing and 3x3
convolutions. DeiT-B (`model.backbone.arch` and the weights' name) has 45.5 there.

    tools/dist_train.sh configs/deit_upernet_ade20k.py 8
    python tools/train.py configs/deit_upernet_ade20k.py --data path/to/my_data --auto-scale-lr
"""

from mmengine.config import read_base

with read_base():
    from ._base_.datasets.ade20k import *
    from ._base_.models.upernet import *
    from ._base_.schedules.adamw_160k import *
    from ._base_.segmentation_runtime import *

from vitdet.backbones import VisionTransformer

published = dict(
    miou=43.8,
    num_classes=150,
    size=(512, 512),
    source="mmseg 1.2.2, whose neck is another",
)

model.update(
    backbone=dict(
        type=VisionTransformer,
        arch="small",
        drop_path_rate=0.1,
        init_cfg=dict(
            type="Pretrained",
            checkpoint="https://dl.fbaipublicfiles.com/deit/deit_small_patch16_224-cd65a155.pth",
        ),
    )
)
