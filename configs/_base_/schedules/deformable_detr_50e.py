"""AdamW for 50 epochs at 32 images a step, as Deformable DETR is trained.

Zhu et al. 2021 (arXiv:2010.04159), sec. 5: lr 2e-4, a tenth of it for the backbone and for what
gives sampling points, divided by ten after 40 epochs; weight decay 1e-4; gradients clipped at norm
0.1.
"""

from mmengine.config import read_base

with read_base():
    from .detr_150e import *

train_cfg.update(max_epochs=50, val_interval=1)
optim_wrapper["optimizer"].update(lr=2e-4)
optim_wrapper["paramwise_cfg"]["custom_keys"].update(
    sampling_offsets=dict(lr_mult=0.1), reference_points=dict(lr_mult=0.1)
)
param_scheduler[0].update(end=50, milestones=[40])
# Used with --auto-scale-lr and --data: the learning rate above belongs to 16 GPUs of 2 images.
auto_scale_lr.update(base_batch_size=32)
