"""RetinaNet with Swin-T on COCO, 1x schedule with multi-scale images: published box AP 42.0.

Source of the figures: Focal Transformer (arXiv:2107.00641, section 4.2), whose authors trained it
by Swin's recipe; Swin's own publish no RetinaNet.

    tools/dist_train.sh configs/swin_retinanet_coco.py 8
"""

from mmengine.config import read_base

with read_base():
    from ._base_.datasets.coco_detection import *
    from ._base_.default_runtime import *
    from ._base_.models.retinanet import *
    from ._base_.schedules.adamw_1x import *

from mmcv.transforms import RandomChoiceResize

from vitdet.backbones import SwinTransformer

published = dict(box_ap=42.0, params=38.5, macs=245, source="arXiv:2107.00641, section 4.2")

model.update(
    backbone=dict(
        type=SwinTransformer,
        arch="tiny",
        drop_path_rate=0.2,
        init_cfg=dict(
            type="Pretrained",
            checkpoint="https://github.com/SwinTransformer/storage/releases/download/v1.0.0/"
            "swin_tiny_patch4_window7_224.pth",
        ),
    )
)
train_dataloader["dataset"]["pipeline"] = [
    dict(type=LoadImageFromFile),
    dict(type=LoadAnnotations, with_bbox=True),
    dict(type=RandomFlip, prob=0.5),
    dict(
        type=RandomChoiceResize,
        scales=[(side, 1333) for side in range(480, 801, 32)],
        keep_ratio=True,
    ),
    dict(type=PackDetInputs),
]
