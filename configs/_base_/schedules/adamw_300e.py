"""AdamW for 300 epochs at 1024 images a step, as DeiT is trained (arXiv:2012.12877, table 9).

Learning rate 5e-4 x batch / 512, five epochs of warm-up, cosine decay to 1e-5. No weight decay on
biases, norms, class tokens and position embeddings, as in the published code.
"""

from mmengine.optim import CosineAnnealingLR, LinearLR, OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, TestLoop, ValLoop
from torch.optim import AdamW

train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=300, val_interval=1)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)

no_decay = ("cls_token", "dist_token", "pos_embed", "relative_position_bias_table")
optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=AdamW, lr=1e-3, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(
        flat_decay_mult=0.0, custom_keys={name: dict(decay_mult=0.0) for name in no_decay}
    ),
)
param_scheduler = [
    dict(type=LinearLR, start_factor=0.001, by_epoch=True, end=5, convert_to_iter_based=True),
    dict(
        type=CosineAnnealingLR,
        by_epoch=True,
        begin=5,
        T_max=295,
        eta_min=1e-5,
        convert_to_iter_based=True,
    ),
]
# Used with --auto-scale-lr only: the learning rate above belongs to 8 GPUs of 128 images.
auto_scale_lr = dict(enable=False, base_batch_size=1024)
