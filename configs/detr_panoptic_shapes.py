"""Panoptic DETR on generated shapes, on a CPU: six kinds of things, and the background as stuff.

It goes on from the detector that `detr_shapes.py` trained: boxes and classes are there, the class
of the background and the masks start fresh. PQ on the 100 held-out images: see README.

    python tools/train.py configs/detr_shapes.py
    python tools/train.py configs/detr_panoptic_shapes.py
"""

from mmengine.config import read_base

with read_base():
    from .detr_shapes import *

from vitdet.datasets import LoadPanopticSegments, ShapesPanoptic
from vitdet.evaluation import CocoPanopticMetric

published = dict(num_classes=7, size=(128, 128))

# The detector's classes are less sure of themselves than COCO's: what is scored below 0.85 there
# would be left out here too often. Without the gain, which is about 8 heads times 8x8 places, masks
# of all queries are alike after hundreds of steps.
model.merge(
    dict(
        backbone=dict(out_indices=(0, 1, 2, 3)),
        with_masks=True,
        num_mask_heads=8,
        mask_attention_gain=1000.0,
        panoptic_threshold=0.4,
    )
)
model["data_preprocessor"].update(pad_mask=True)

train_dataloader["dataset"]["pipeline"][1] = dict(type=LoadPanopticSegments)
for loader, split in ((train_dataloader, "train"), (val_dataloader, "val")):
    loader["dataset"].update(
        type=ShapesPanoptic,
        data_root="data/shapes_panoptic",
        ann_file=f"panoptic_{split}.json",
        data_prefix=dict(img=f"images/{split}", seg=f"panoptic_{split}"),
    )
test_dataloader = val_dataloader
val_evaluator = dict(type=CocoPanopticMetric)
test_evaluator = val_evaluator

load_from = "work_dirs/detr_shapes/last.pth"
train_cfg.update(max_epochs=3, val_interval=1)
optim_wrapper["optimizer"].update(lr=5e-4)
optim_wrapper["paramwise_cfg"] = dict(custom_keys={"mask_head": dict(lr_mult=4.0)})
param_scheduler[0].update(end=50)
param_scheduler[1].update(T_max=3)
