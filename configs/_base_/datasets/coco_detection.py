"""COCO 2017 boxes in the usual layout under data/coco; `--data DIR` points elsewhere.

Class names are read from the annotation file.
"""

from mmengine.config import read_base

with read_base():
    from .coco_instance import *

train_dataloader["dataset"]["pipeline"][1].update(with_mask=False)
val_evaluator.update(metric="bbox")
test_evaluator.update(metric="bbox")
