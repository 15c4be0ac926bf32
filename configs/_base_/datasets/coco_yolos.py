"""COCO 2017 boxes under data/coco as YOLOS-S and -B see them; `--data DIR` points elsewhere.

DETR's augmentation, with shorter sides of 480 to 800 pixels in steps of a patch (the authors'
repository).
"""

from mmengine.config import read_base

with read_base():
    from .coco_detr import *

scales = [(1333, side) for side in range(480, 801, 16)]
whole, cropped = train_dataloader["dataset"]["pipeline"][3]["transforms"]
whole[0].update(scales=scales)
cropped[2].update(scales=scales)
