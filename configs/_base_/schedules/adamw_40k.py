"""AdamW for 40,000 steps of 32 images, as PVT's authors train Semantic FPNs (whai362/PVT).

lr 2e-4, weight decay 1e-4, polynomial decay of power 0.9. The paper (arXiv:2102.12122, section 5.3)
has 80,000 steps of 16 images at lr 1e-4.
"""

from mmengine.optim import OptimWrapper, PolyLR
from mmengine.runner import IterBasedTrainLoop, TestLoop, ValLoop
from torch.optim import AdamW

train_cfg = dict(type=IterBasedTrainLoop, max_iters=40_000, val_interval=4000)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)

optim_wrapper = dict(type=OptimWrapper, optimizer=dict(type=AdamW, lr=2e-4, weight_decay=1e-4))
param_scheduler = [
    dict(type=PolyLR, eta_min=0.0, power=0.9, by_epoch=False, begin=0, end=40_000),
]
# Used with --auto-scale-lr and --data: the learning rate above belongs to 8 GPUs of 4 images.
auto_scale_lr = dict(enable=False, base_batch_size=32)
