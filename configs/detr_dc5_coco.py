"""DETR with ResNet-50 dilated in its last stage (DC5) on COCO, 150 epochs: small objects gain most.

Published box AP 43.3 after 500 epochs (arXiv:2005.12872, table 1).

    tools/dist_train.sh configs/detr_dc5_coco.py 8
"""

from mmengine.config import read_base

with read_base():
    from .detr_coco import *

published = dict(
    box_ap=43.3, params=41, num_classes=91, source="arXiv:2005.12872, table 1 (500 epochs)"
)

model["backbone"].update(has_dilated_c5=True)
