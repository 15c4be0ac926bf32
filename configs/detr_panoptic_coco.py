r"""DETR with ResNet-50 for panoptic segmentation of COCO: 25 epochs on a detector that is trained.

Published PQ 43.4 (arXiv:2005.12872, table 5; 44.1 dilated, 45.1 with ResNet-101), in two steps:
boxes of things and stuff first, then 25 epochs of the mask head alone. In one step, as here, the
results are similar (sec. 4.4). It starts from the published detector of COCO's 80 things, whose
class rows are taken over by name; stuff and masks start fresh.

    tools/dist_train.sh configs/detr_panoptic_coco.py 8

The mask head alone, on a detector that knows all classes, FILE:

    python tools/train.py configs/detr_panoptic_coco.py \
        --cfg-options model.has_frozen_detector=True load_from=FILE
"""

from mmengine.config import read_base

with read_base():
    from ._base_.datasets.coco_panoptic import *
    from ._base_.default_runtime import *
    from ._base_.models.detr import *
    from ._base_.schedules.detr_150e import *

published = dict(
    pq=43.4,
    num_classes=250,
    source="arXiv:2005.12872, table 5",
)

model["with_masks"] = True
model["backbone"].update(out_indices=(0, 1, 2, 3), init_cfg=None)
model["data_preprocessor"].update(pad_mask=True)
load_from = "https://dl.fbaipublicfiles.com/detr/detr-r50-e632da11.pth"

train_cfg.update(max_epochs=25, val_interval=5)
param_scheduler[0].update(end=25, milestones=[15])
