"""Mask R-CNN with Swin-T on COCO, 3x schedule with multi-scale crops: box AP 46.0, mask AP 41.6.

Source of the figures: Swin's authors (Swin-Transformer-Object-Detection).

    tools/dist_train.sh configs/swin_maskrcnn_coco_3x.py 8
"""

from mmengine.config import read_base

with read_base():
    from .swin_maskrcnn_coco import *

from mmcv.transforms import RandomChoice, RandomChoiceResize
from mmdet.datasets.transforms import RandomCrop

published = dict(
    box_ap=46.0,
    mask_ap=41.6,
    params=48,
    macs=267,
    source="Swin-Transformer-Object-Detection",
)

short_sides = dict(
    type=RandomChoiceResize,
    scales=[(side, 1333) for side in range(480, 801, 32)],
    keep_ratio=True,
)
# Resize, or resize, crop and resize again: the augmentation of DETR (arXiv:2005.12872, section 4).
multi_scale_crop = dict(
    type=RandomChoice,
    transforms=[
        [short_sides],
        [
            dict(
                type=RandomChoiceResize,
                scales=[(side, 1333) for side in (400, 500, 600)],
                keep_ratio=True,
            ),
            dict(
                type=RandomCrop,
                crop_type="absolute_range",
                crop_size=(384, 600),
                allow_negative_crop=True,
            ),
            short_sides,
        ],
    ],
)
train_dataloader["dataset"]["pipeline"] = [
    dict(type=LoadImageFromFile),
    dict(type=LoadAnnotations, with_bbox=True, with_mask=True),
    dict(type=RandomFlip, prob=0.5),
    multi_scale_crop,
    dict(type=PackDetInputs),
]

train_cfg.update(max_epochs=36)
param_scheduler[1].update(end=36, milestones=[27, 33])
