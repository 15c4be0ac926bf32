r"""DETR with ResNet-50 on COCO, 150 epochs.

Published box AP: 39.5 after 150 epochs (the authors' repository), 40.6 after 300 and 42.0 after 500
(arXiv:2005.12872, tables 2 and 1). The longer ones drop the learning rate after 200 and 400 epochs:

    --cfg-options train_cfg.max_epochs=300 param_scheduler.0.end=300 \
        param_scheduler.0.milestones=[200]

Published weights (https://dl.fbaipublicfiles.com/detr/detr-r50-e632da11.pth) load as they are: the
rows of COCO's 91 ids go to the classes of the data by name.

    tools/dist_train.sh configs/detr_coco.py 8
    python tools/train.py configs/detr_coco.py --data path/to/my_data --auto-scale-lr
"""

from mmengine.config import read_base

with read_base():
    from ._base_.datasets.coco_detr import *
    from ._base_.default_runtime import *
    from ._base_.models.detr import *
    from ._base_.schedules.detr_150e import *

published = dict(
    box_ap=39.5,
    params=41,
    num_classes=91,
    source="facebookresearch/detr; size: arXiv:2005.12872, table 1",
)
