"""AdamW for 150 epochs at 8 images a step, as YOLOS-S and -B are trained.

lr 2.5e-5 for all parts, cosine decay to 1e-7 without warm-up; weight decay 1e-4, none on biases,
norms, tokens and the first block's positions; gradients clipped at norm 0.1 (the authors'
repository).
"""

from mmengine.optim import CosineAnnealingLR, OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, TestLoop, ValLoop
from torch.optim import AdamW

train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=150, val_interval=5)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)

no_decay = (
    *("cls_token", "dist_token", "det_token"),
    *("backbone.pos_embed", "backbone.token_pos_embed", "det_pos_embed"),
)
optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=AdamW, lr=2.5e-5, weight_decay=1e-4),
    clip_grad=dict(max_norm=0.1, norm_type=2),
    paramwise_cfg=dict(
        flat_decay_mult=0.0, custom_keys={name: dict(decay_mult=0.0) for name in no_decay}
    ),
)
param_scheduler = [dict(type=CosineAnnealingLR, by_epoch=True, T_max=150, eta_min=1e-7)]
# Used with --auto-scale-lr and --data: the learning rate above belongs to 8 GPUs of one image.
auto_scale_lr = dict(enable=False, base_batch_size=8)
