"""COCO 2017 boxes under data/coco with DETR's augmentation; `--data DIR` points elsewhere.

Carion et al. 2020 (arXiv:2005.12872), sec. 4: shorter sides of 480 to 800 pixels, and half of the
images cropped at random before. Images without objects are kept: they teach "no object".
"""

from mmengine.config import read_base

with read_base():
    from .coco_instance import *

from mmcv.transforms import RandomChoice, RandomChoiceResize
from mmdet.datasets.transforms import RandomCrop

short_sides = [480, 512, 544, 576, 608, 640, 672, 704, 736, 768, 800]
resize = dict(
    type=RandomChoiceResize, scales=[(1333, side) for side in short_sides], keep_ratio=True
)
train_pipeline = [
    dict(type=LoadImageFromFile),
    dict(type=LoadAnnotations, with_bbox=True),
    dict(type=RandomFlip, prob=0.5),
    dict(
        type=RandomChoice,
        transforms=[
            [resize],
            [
                dict(
                    type=RandomChoiceResize,
                    scales=[(4200, side) for side in (400, 500, 600)],
                    keep_ratio=True,
                ),
                dict(
                    type=RandomCrop,
                    crop_type="absolute_range",
                    crop_size=(384, 600),
                    allow_negative_crop=True,
                ),
                resize,
            ],
        ],
    ),
    dict(type=PackDetInputs),
]
train_dataloader["dataset"].update(pipeline=train_pipeline, filter_cfg=dict(filter_empty_gt=False))
val_evaluator.update(metric="bbox")
test_evaluator.update(metric="bbox")
