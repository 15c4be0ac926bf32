"""AdamW for 12 epochs at 16 images a step, as DINO is trained (arXiv:2203.03605, sec. 4.1).

lr 1e-4, a tenth of it for the backbone, divided by ten after 11 epochs; weight decay 1e-4;
gradients clipped at norm 0.1.
"""

from mmengine.config import read_base

with read_base():
    from .detr_150e import *

train_cfg.update(max_epochs=12, val_interval=1)
param_scheduler[0].update(end=12, milestones=[11])
