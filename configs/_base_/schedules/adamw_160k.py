"""AdamW for 160,000 steps of 16 images, as Swin's and later transformers' UperNets are trained.

Liu et al. 2021 (arXiv:2103.14030), appendix A2: lr 6e-5, weight decay 0.01, linear decay after a
warm-up of 1,500 steps; no decay on norms, position embeddings and biases as in the published code.
"""

from mmengine.optim import LinearLR, OptimWrapper, PolyLR
from mmengine.runner import IterBasedTrainLoop, TestLoop, ValLoop
from torch.optim import AdamW

train_cfg = dict(type=IterBasedTrainLoop, max_iters=160_000, val_interval=16_000)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)

no_decay = ("absolute_pos_embed", "relative_position_bias_table", "pos_embed", "cls_token", "norm")
optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=AdamW, lr=6e-5, betas=(0.9, 0.999), weight_decay=0.01),
    paramwise_cfg=dict(custom_keys={name: dict(decay_mult=0.0) for name in no_decay}),
)
param_scheduler = [
    dict(type=LinearLR, start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type=PolyLR, eta_min=0.0, power=1.0, by_epoch=False, begin=1500, end=160_000),
]
# Used with --auto-scale-lr and --data: the learning rate above belongs to 8 GPUs of 2 images.
auto_scale_lr = dict(enable=False, base_batch_size=16)
