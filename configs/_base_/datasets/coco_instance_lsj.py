"""COCO 2017 instances with large-scale jittering; `--data DIR` points elsewhere.

Ghiasi et al. 2021 (arXiv:2012.07177), as Mask2Former uses it (arXiv:2112.01527, sec. 4.1): images
fitted into 1024 pixels, scaled by 0.1 to 2, and cropped to 1024 or, by the model, padded to it.
"""

from mmengine.config import read_base

with read_base():
    from .coco_instance import *

from mmcv.transforms import RandomResize
from mmdet.datasets.transforms import FilterAnnotations, RandomCrop

train_pipeline = [
    dict(type=LoadImageFromFile),
    dict(type=LoadAnnotations, with_bbox=True, with_mask=True),
    dict(type=RandomFlip, prob=0.5),
    dict(type=RandomResize, scale=(1024, 1024), ratio_range=(0.1, 2.0), keep_ratio=True),
    dict(
        type=RandomCrop,
        crop_size=(1024, 1024),
        crop_type="absolute",
        recompute_bbox=True,
        allow_negative_crop=True,
    ),
    dict(type=FilterAnnotations, min_gt_bbox_wh=(1e-5, 1e-5), by_mask=True),
    dict(type=PackDetInputs),
]
train_dataloader["dataset"].update(pipeline=train_pipeline)
