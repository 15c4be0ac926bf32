"""RetinaNet with PVT-S on COCO, 1x schedule: published box AP 40.4.

Source of the figures: PVT's authors (github.com/whai362/PVT, detection/README.md), whose recipe
this is. Of the other sizes, `model.backbone.arch` and the weights' name, they give tiny 36.7,
medium 41.9 and large 42.6.

    tools/dist_train.sh configs/pvt_retinanet_coco.py 8
    python tools/train.py configs/pvt_retinanet_coco.py --data path/to/my_data --auto-scale-lr
"""

from mmengine.config import read_base

with read_base():
    from ._base_.datasets.coco_detection import *
    from ._base_.default_runtime import *
    from ._base_.models.retinanet import *
    from ._base_.schedules.adamw_1x import *

from vitdet.backbones import PyramidVisionTransformer

published = dict(
    box_ap=40.4,
    params=34.2,
    source="whai362/PVT; size: arXiv:2102.12122, table 3",
)

model.update(
    backbone=dict(
        type=PyramidVisionTransformer,
        arch="small",
        drop_path_rate=0.1,  # 0 for medium and large
        init_cfg=dict(
            type="Pretrained",
            checkpoint="https://github.com/whai362/PVT/releases/download/v2/pvt_small.pth",
        ),
    )
)

optim_wrapper.update(
    optimizer=dict(type=AdamW, lr=1e-4, weight_decay=1e-4),
    paramwise_cfg=None,
)
param_scheduler[0].update(end=500)
