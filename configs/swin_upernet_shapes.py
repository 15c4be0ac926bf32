"""The quick start of segmentation: a small UperNet with Swin, from scratch in minutes on two cores.

The data set is generated on first use: six kinds of things in clutter, a third of them partly
hidden (vitdet/datasets/shapes.py). IoU on its 100 held-out images: see README.

    python tools/train.py configs/swin_upernet_shapes.py
"""

from mmengine.config import read_base

with read_base():
    from ._base_.datasets.shapes_semantic import *
    from ._base_.models.upernet import *
    from ._base_.schedules.adamw_160k import *
    from ._base_.segmentation_runtime import *

from mmcv.transforms import LoadImageFromFile, RandomFlip, Resize
from mmengine.optim import CosineAnnealingLR
from mmseg.datasets.transforms import PackSegInputs, PhotoMetricDistortion
from mmseg.models.losses import CrossEntropyLoss

from vitdet.backbones import SwinTransformer
from vitdet.datasets import LoadLabels
from vitdet.segmentors import ClassDiceLoss

published = dict(num_classes=7, size=(128, 128))

# What counts is how many images are seen in the time: they are made smaller, the backbone has five
# blocks, the head 48 channels, and there is no auxiliary one. A window of 4 divides every map (32,
# 16, 8, 4). Four fifths of all pixels are background: its cross entropy weighs less, and the Dice
# loss counts the other classes alike. Colours change little: in so few steps more is only harder.
size = (128, 128)
norm = dict(type="BN")
model.merge(
    dict(
        data_preprocessor=dict(size=size),
        backbone=dict(
            type=SwinTransformer,
            embed_dims=48,
            depths=[1, 1, 2, 1],
            num_heads=[2, 4, 8, 16],
            window_size=4,
            drop_path_rate=0.0,
        ),
        decode_head=dict(
            channels=48,
            dropout_ratio=0.0,
            norm_cfg=norm,
            loss_decode=[
                dict(type=CrossEntropyLoss, class_weight=[0.2, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
                dict(type=ClassDiceLoss, first_class=1),
            ],
        ),
    )
)
model.pop("auxiliary_head")

train_dataloader.update(batch_size=8)
train_dataloader["dataset"].update(
    pipeline=[
        dict(type=LoadImageFromFile),
        dict(type=LoadLabels),
        dict(type=Resize, scale=size, keep_ratio=True),
        dict(type=RandomFlip, prob=0.5),
        dict(
            type=PhotoMetricDistortion,
            brightness_delta=16,
            contrast_range=(0.8, 1.2),
            saturation_range=(0.8, 1.2),
            hue_delta=6,
        ),
        dict(type=PackSegInputs),
    ]
)
for loader in (val_dataloader, test_dataloader):
    loader["dataset"]["pipeline"][1].update(scale=size)

train_cfg.update(max_iters=2000, val_interval=400)
optim_wrapper.merge(
    dict(
        optimizer=dict(lr=1.5e-3, weight_decay=0.05, fused=True),
        paramwise_cfg=None,  # one group for all: a group for each parameter costs time
        clip_grad=dict(max_norm=5.0),
    )
)
param_scheduler = [
    dict(type=LinearLR, start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type=CosineAnnealingLR, by_epoch=False, T_max=2000, eta_min_ratio=0.01),
]
auto_scale_lr.update(base_batch_size=8)
randomness = dict(seed=0)
