"""YOLOS-Ti on COCO, 300 epochs from DeiT-Ti: published box AP 28.7 (arXiv:2106.00666).

Smaller images than its larger kin (shorter side 512 in tests), 16 images a step and lr 5e-5, as in
the authors' repository.

    tools/dist_train.sh configs/yolos_tiny_coco.py 8
    python tools/train.py configs/yolos_tiny_coco.py --data path/to/my_data --auto-scale-lr
"""

from mmengine.config import read_base

with read_base():
    from ._base_.datasets.coco_yolos import *
    from ._base_.default_runtime import *
    from ._base_.models.yolos import *
    from ._base_.schedules.yolos_150e import *

published = dict(
    box_ap=28.7, params=6.5, num_classes=91, size=(853, 512), source="arXiv:2106.00666"
)

model["backbone"].update(
    arch="tiny",
    init_cfg=dict(
        type="Pretrained",
        checkpoint="https://dl.fbaipublicfiles.com/deit/deit_tiny_patch16_224-a1311bcf.pth",
    ),
)
scales = [(1013, side) for side in range(256, 609, 16)]
whole, cropped = train_dataloader["dataset"]["pipeline"][3]["transforms"]
whole[0].update(scales=scales)
cropped[2].update(scales=scales)
for loader in (val_dataloader, test_dataloader):
    loader["dataset"]["pipeline"][1].update(scale=(853, 512))

train_cfg.update(max_epochs=300)
optim_wrapper["optimizer"].update(lr=5e-5)
param_scheduler[0].update(T_max=300)
auto_scale_lr.update(base_batch_size=16)
