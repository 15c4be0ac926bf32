"""YOLOS-S on COCO, 150 epochs from DeiT-S: published box AP 36.1 (arXiv:2106.00666).

Published weights, of the authors or transformers, load as they are: the rows of COCO's 91 ids go to
the classes of the data by name.

    tools/dist_train.sh configs/yolos_small_coco.py 8
    python tools/train.py configs/yolos_small_coco.py --data path/to/my_data --auto-scale-lr
"""

from mmengine.config import read_base

with read_base():
    from ._base_.datasets.coco_yolos import *
    from ._base_.default_runtime import *
    from ._base_.models.yolos import *
    from ._base_.schedules.yolos_150e import *

published = dict(
    box_ap=36.1, params=30.7, num_classes=91, size=(1333, 800), source="arXiv:2106.00666"
)

train_dataloader.update(batch_size=1)
