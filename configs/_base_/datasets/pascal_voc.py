"""Pascal VOC 2012, 20 classes and background, under data/VOCdevkit/VOC2012.

`--data DIR` points elsewhere. The additional labels of SBD are not part of it.
"""

from mmengine.config import read_base

with read_base():
    from .semantic_folder import *

from mmseg.datasets import PascalVOCDataset

train_dataloader["dataset"].update(
    type=PascalVOCDataset,
    data_root="data/VOCdevkit/VOC2012",
    data_prefix=dict(img_path="JPEGImages", seg_map_path="SegmentationClass"),
    ann_file="ImageSets/Segmentation/train.txt",
)
for loader in (val_dataloader, test_dataloader):
    loader["dataset"].update(
        type=PascalVOCDataset,
        data_root="data/VOCdevkit/VOC2012",
        data_prefix=dict(img_path="JPEGImages", seg_map_path="SegmentationClass"),
        ann_file="ImageSets/Segmentation/val.txt",
    )
