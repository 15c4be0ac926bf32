"""AdamW for 50 epochs at 16 images a step, as Mask2Former is trained (arXiv:2112.01527, sec. 4.1).

lr 1e-4, a tenth of it for the backbone, divided by ten twice near the end, weight decay 0.05 but
for norms, positions and queries, gradients clipped at norm 0.01. The published schedule counts
368,750 iterations with steps at 327,778 and 355,092: after 44.4 and 48.1 epochs of COCO, here after
44 and 48, so that it fits data of another size.
"""

from mmengine.optim import MultiStepLR, OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, TestLoop, ValLoop
from torch.optim import AdamW

train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=50, val_interval=1)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)

# Of a parameter's keys the longest counts. Those of the norms within a backbone have to be longer
# than "backbone", and to be found in no head.
norms = ("backbone.norm", *(f".{name}.weight" for name in ("norm", "norm1", "norm2")))
norms = (*norms, *(f".{name}.bias" for name in ("norm", "norm1", "norm2")))
positions = ("backbone.pos_embed", "absolute_pos_embed", "relative_position_bias_table")
queries = ("query_embed", "query_feat", "level_embed")
optim_wrapper = dict(
    type=OptimWrapper,
    optimizer=dict(type=AdamW, lr=1e-4, betas=(0.9, 0.999), weight_decay=0.05),
    clip_grad=dict(max_norm=0.01, norm_type=2),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        custom_keys={
            "backbone": dict(lr_mult=0.1),
            **{key: dict(lr_mult=0.1, decay_mult=0.0) for key in (*norms, *positions)},
            **{key: dict(decay_mult=0.0) for key in queries},
        },
    ),
)
param_scheduler = [
    dict(type=MultiStepLR, by_epoch=True, begin=0, end=50, milestones=[44, 48], gamma=0.1)
]
# Used with --auto-scale-lr and --data: the learning rate above belongs to 8 GPUs of 2 images.
auto_scale_lr = dict(enable=False, base_batch_size=16)
