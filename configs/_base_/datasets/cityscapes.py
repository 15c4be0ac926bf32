"""Cityscapes, 19 classes, under data/cityscapes; `--data DIR` points elsewhere.

`gtFine` has to hold the `*_labelTrainIds.png` that the data set's own scripts
(`csCreateTrainIdLabelImgs`) make.
"""

from mmengine.config import read_base

with read_base():
    from .semantic_folder import *

from mmseg.datasets import CityscapesDataset

train_dataloader["dataset"].update(
    type=CityscapesDataset,
    data_root="data/cityscapes",
    data_prefix=dict(img_path="leftImg8bit/train", seg_map_path="gtFine/train"),
)
train_dataloader["dataset"]["pipeline"][2].update(scale=(2048, 1024))
train_dataloader["dataset"]["pipeline"][3].update(crop_size=(512, 1024))
for loader in (val_dataloader, test_dataloader):
    loader["dataset"].update(
        type=CityscapesDataset,
        data_root="data/cityscapes",
        data_prefix=dict(img_path="leftImg8bit/val", seg_map_path="gtFine/val"),
    )
    loader["dataset"]["pipeline"][1].update(scale=(2048, 1024))
