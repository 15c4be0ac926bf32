"""UperNet with a plain ViT-B on ADE20K, 160,000 steps: mmseg publishes mIoU 46.8 at one scale.

Its recipe (mmsegmentation 1.2.2, configs/vit), with two deviations: the maps of four depths come to
strides of 4, 8, 16 and 32 by transposed convolutions and pooling, there by resizing and 3x3
convolutions; the weights are those of ImageNet-21k alone, there tuned on ImageNet-1k, too.

    tools/dist_train.sh configs/vit_upernet_ade20k.py 8
    python tools/train.py configs/vit_upernet_ade20k.py --data path/to/my_data --auto-scale-lr
"""

from mmengine.config import read_base

with read_base():
    from ._base_.datasets.ade20k import *
    from ._base_.models.upernet import *
    from ._base_.schedules.adamw_160k import *
    from ._base_.segmentation_runtime import *

from vitdet.backbones import VisionTransformer

published = dict(
    miou=46.8,
    num_classes=150,
    size=(512, 512),
    source="mmseg 1.2.2, whose neck is another",
)

model.update(
    backbone=dict(
        type=VisionTransformer,
        arch="base",
        drop_path_rate=0.1,
        init_cfg=dict(
            type="Pretrained",
            checkpoint="https://storage.googleapis.com/vit_models/augreg/"
            "B_16-i21k-300ep-lr_0.001-aug_medium1-wd_0.1-do_0.0-sd_0.0.npz",
        ),
    )
)
