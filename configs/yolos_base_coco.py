"""YOLOS-B on COCO, 150 epochs: published box AP 42.0 (arXiv:2106.00666).

The published model starts from DeiT-B distilled at 384 pixels, without the distillation token. Here
the plain DeiT-B at 384 pixels is taken; to start from the distilled one, and keep its token:

    --cfg-options model.backbone.with_distillation_token=True model.backbone.init_cfg.checkpoint=\
        https://dl.fbaipublicfiles.com/deit/deit_base_distilled_patch16_384-d0272ac0.pth

    tools/dist_train.sh configs/yolos_base_coco.py 8
"""

from mmengine.config import read_base

with read_base():
    from ._base_.datasets.coco_yolos import *
    from ._base_.default_runtime import *
    from ._base_.models.yolos import *
    from ._base_.schedules.yolos_150e import *

published = dict(
    box_ap=42.0, params=127, num_classes=91, size=(1333, 800), source="arXiv:2106.00666"
)

train_dataloader.update(batch_size=1)
model["backbone"].update(
    arch="base",
    init_cfg=dict(
        type="Pretrained",
        checkpoint="https://dl.fbaipublicfiles.com/deit/deit_base_patch16_384-8de9b5d1.pth",
    ),
)
