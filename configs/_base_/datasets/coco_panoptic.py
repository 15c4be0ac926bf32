"""COCO 2017 things and stuff under data/coco with DETR's augmentation; `--data DIR` points
elsewhere.

Class names, and which of them are things, are read from the annotation file.
"""

from mmengine.config import read_base

with read_base():
    from .coco_detr import *

from vitdet.datasets import CocoPanopticDataset, LoadPanopticSegments
from vitdet.evaluation import CocoPanopticMetric

train_pipeline[1] = dict(type=LoadPanopticSegments)
train_dataloader["dataset"].update(
    type=CocoPanopticDataset,
    ann_file="annotations/panoptic_train2017.json",
    data_prefix=dict(img="train2017", seg="annotations/panoptic_train2017"),
    pipeline=train_pipeline,
)
val_dataloader["dataset"].update(
    type=CocoPanopticDataset,
    ann_file="annotations/panoptic_val2017.json",
    data_prefix=dict(img="val2017", seg="annotations/panoptic_val2017"),
)
test_dataloader = val_dataloader
val_evaluator = dict(type=CocoPanopticMetric)
test_evaluator = val_evaluator
