"""AdamW for 12 epochs at 16 images a step, as Swin's detectors are trained.

Liu et al. 2021 (arXiv:2103.14030), appendix A2: lr 1e-4, weight decay 0.05, steps at epochs 8 and
11; no decay on norms and position biases as in the published code.
"""

from mmengine.optim import LinearLR, MultiStepLR, OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, TestLoop, ValLoop
from torch.optim import AdamW

train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=12, val_interval=1)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)

optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=AdamW, lr=1e-4, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(
        custom_keys={
            "absolute_pos_embed": dict(decay_mult=0.0),
            "relative_position_bias_table": dict(decay_mult=0.0),
            "norm": dict(decay_mult=0.0),
        }
    ),
)
param_scheduler = [
    dict(type=LinearLR, start_factor=0.001, by_epoch=False, begin=0, end=1000),
    dict(type=MultiStepLR, by_epoch=True, begin=0, end=12, milestones=[8, 11], gamma=0.1),
]
# Used with --auto-scale-lr and --data: the learning rate above belongs to 8 GPUs of 2 images.
auto_scale_lr = dict(enable=False, base_batch_size=16)
