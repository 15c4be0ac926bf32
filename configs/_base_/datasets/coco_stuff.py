"""COCO-Stuff 164k, 171 classes, under data/coco_stuff164k; `--data DIR` points elsewhere.

The label files are the `*_labelTrainIds.png` that mmseg's converter (`coco_stuff164k.py`) makes.
"""

from mmengine.config import read_base

with read_base():
    from .semantic_folder import *

from mmseg.datasets import COCOStuffDataset

train_dataloader["dataset"].update(
    type=COCOStuffDataset,
    data_root="data/coco_stuff164k",
    data_prefix=dict(img_path="images/train2017", seg_map_path="annotations/train2017"),
)
for loader in (val_dataloader, test_dataloader):
    loader["dataset"].update(
        type=COCOStuffDataset,
        data_root="data/coco_stuff164k",
        data_prefix=dict(img_path="images/val2017", seg_map_path="annotations/val2017"),
    )
