"""The quick start of segmentation: a small UperNet with Swin, from scratch in minutes on two cores.

The data set is generated on first use: six kinds of things in clutter, a third of them partly
hidden (vitdet/datasets/shapes.py). The recipe is not settled: see README.

    python tools/train.py configs/swin_upernet_shapes.py
"""

from mmengine.config import read_base

with read_base():
    from ._base_.datasets.shapes_semantic import *
    from ._base_.models.upernet import *
    from ._base_.schedules.adamw_160k import *
    from ._base_.segmentation_runtime import *

from mmcv.transforms import LoadImageFromFile, RandomFlip
from mmengine.optim import CosineAnnealingLR
from mmseg.datasets.transforms import PackSegInputs, PhotoMetricDistortion

from vitdet.backbones import SwinTransformer
from vitdet.datasets import LoadLabels

published = dict(num_classes=7, size=(160, 160))

# Sized for things of 13 to 80 pixels in images of 160: a window of 5 divides every map (40, 20,
# 10, 5).
norm = dict(type="BN")
model.merge(
    dict(
        data_preprocessor=dict(size=(160, 160)),
        backbone=dict(
            type=SwinTransformer,
            embed_dims=48,
            depths=[2, 2, 4, 2],
            num_heads=[2, 4, 8, 16],
            window_size=5,
            drop_path_rate=0.0,
        ),
        decode_head=dict(channels=48, dropout_ratio=0.0, norm_cfg=norm),
        auxiliary_head=dict(channels=48, dropout_ratio=0.0, norm_cfg=norm),
    )
)

# Things keep their size, so that each is learned in as few steps as can be: flips and colours only.
train_dataloader.update(batch_size=4)
train_dataloader["dataset"].update(
    pipeline=[
        dict(type=LoadImageFromFile),
        dict(type=LoadLabels),
        dict(type=RandomFlip, prob=0.5),
        dict(type=PhotoMetricDistortion),
        dict(type=PackSegInputs),
    ]
)

train_cfg.update(max_iters=1600, val_interval=400)
optim_wrapper.merge(
    dict(
        optimizer=dict(lr=1.5e-3, weight_decay=0.05, fused=True),
        paramwise_cfg=None,  # one group for all: a group for each parameter costs time
        clip_grad=dict(max_norm=5.0),
    )
)
param_scheduler = [
    dict(type=LinearLR, start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type=CosineAnnealingLR, by_epoch=False, T_max=1600, eta_min_ratio=0.01),
]
auto_scale_lr.update(base_batch_size=4)
randomness = dict(seed=0)
