"""AdamW for 160,000 steps of 16 images, as Mask2Former is trained for semantic segmentation.

Cheng et al. 2022 (arXiv:2112.01527), section 4.1 and appendix: lr 1e-4, a tenth of it for the
backbone, polynomial decay of power 0.9.
"""

from mmengine.config import read_base

with read_base():
    from .mask2former_50e import *

from mmengine.optim import PolyLR
from mmengine.runner import IterBasedTrainLoop

train_cfg = dict(type=IterBasedTrainLoop, max_iters=160_000, val_interval=16_000)
param_scheduler = [
    dict(type=PolyLR, eta_min=0.0, power=0.9, by_epoch=False, begin=0, end=160_000),
]
