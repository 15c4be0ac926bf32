"""AdamW for 150 epochs at 16 images a step, the shorter schedule of DETR's repository.

lr 1e-4, that of the backbone 1e-5, divided by ten after 100 epochs; weight decay 1e-4; gradients
clipped at norm 0.1 (Carion et al. 2020, arXiv:2005.12872, sec. 4, with 64 images a step).
"""

from mmengine.optim import MultiStepLR, OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, TestLoop, ValLoop
from torch.optim import AdamW

train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=150, val_interval=5)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)

optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=AdamW, lr=1e-4, weight_decay=1e-4),
    clip_grad=dict(max_norm=0.1, norm_type=2),
    paramwise_cfg=dict(custom_keys={"backbone": dict(lr_mult=0.1)}),
)
param_scheduler = [
    dict(type=MultiStepLR, by_epoch=True, begin=0, end=150, milestones=[100], gamma=0.1)
]
# Used with --auto-scale-lr and --data: the learning rate above belongs to 8 GPUs of 2 images.
auto_scale_lr = dict(enable=False, base_batch_size=16)
