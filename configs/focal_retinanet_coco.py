"""RetinaNet with Focal-T on COCO, 1x schedule: published box AP 43.7.

Source of the figure: the tables of Focal Transformer's repository (microsoft/Focal-Transformer); in
a 3x schedule 45.5. Its detection code was never published: this is the recipe of Swin's authors,
which they say they followed.

    tools/dist_train.sh configs/focal_retinanet_coco.py 8
"""

from mmengine.config import read_base

with read_base():
    from ._base_.datasets.coco_detection import *
    from ._base_.default_runtime import *
    from ._base_.models.retinanet import *
    from ._base_.schedules.adamw_1x import *

from vitdet.backbones import FocalTransformer

published = dict(
    box_ap=43.7,
    params=39.4,
    macs=265,
    source="microsoft/Focal-Transformer",
)

model.update(
    backbone=dict(
        type=FocalTransformer,
        arch="tiny",
        # Windows of the last stage, too, see what is around them. In the images of 224 pixels that
        # the weights come from there is nothing, so these biases start fresh.
        pretrain_img_size=None,
        drop_path_rate=0.2,
        init_cfg=dict(
            type="Pretrained",
            checkpoint="https://projects4jw.blob.core.windows.net/model/focal-transformer/"
            "imagenet1k/focal-tiny-is224-ws7.pth",
        ),
    )
)
