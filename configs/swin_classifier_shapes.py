"""A classifier in minutes on two CPU cores: the small Swin of the detector's quick start.

The data set is generated on first use: six kinds of things, one in each image
(vitdet/datasets/shape_images.py). What the backbone learns can start that detector:

    python tools/train.py configs/swin_classifier_shapes.py
    python tools/train.py configs/swin_maskrcnn_shapes.py --cfg-options \\
        model.backbone.init_cfg.type=Pretrained \\
        model.backbone.init_cfg.checkpoint=work_dirs/swin_classifier_shapes/best.pth
"""

from mmengine.config import read_base

with read_base():
    from ._base_.default_runtime import *
    from ._base_.models.image_classifier import *
    from ._base_.schedules.adamw_300e import *

from mmengine.dataset import DefaultSampler
from torchvision.transforms.v2 import RandomHorizontalFlip, RandomResizedCrop, Resize

from vitdet.backbones import SwinTransformer
from vitdet.datasets import LoadImage, PackImage, ShapeImages, ToPIL
from vitdet.evaluation import Accuracy

published = dict(size=(80, 80))

model.update(
    backbone=dict(
        type=SwinTransformer,
        embed_dims=48,
        depths=[2, 2, 4, 2],
        num_heads=[2, 4, 8, 16],
        window_size=5,
        drop_path_rate=0.0,
        final_norm=True,
        out_indices=(),
    ),
    label_smoothing=0.0,
    batch_augments=[],
)
model["data_preprocessor"].update(augments=[])

train_pipeline = [
    dict(type=LoadImage),
    dict(type=ToPIL),
    dict(type=RandomResizedCrop, size=80, scale=(0.7, 1.0), ratio=(0.8, 1.25)),
    dict(type=RandomHorizontalFlip),
    dict(type=PackImage),
]
test_pipeline = [
    dict(type=LoadImage),
    dict(type=ToPIL),
    dict(type=Resize, size=(80, 80)),
    dict(type=PackImage),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type=DefaultSampler, shuffle=True),
    dataset=dict(
        type=ShapeImages,
        data_root="data/shape_images",
        data_prefix=dict(img="train"),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=50,
    num_workers=0,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(
        type=ShapeImages,
        data_root="data/shape_images",
        data_prefix=dict(img="val"),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type=Accuracy, topk=[1])
test_evaluator = val_evaluator

train_cfg.update(max_epochs=5)
optim_wrapper.merge(
    dict(
        optimizer=dict(lr=3e-4, fused=True),  # at 1e-3 nothing is learnt for hundreds of steps
        paramwise_cfg=None,  # one group for all: a group for each parameter costs time
        clip_grad=dict(max_norm=5.0),
    )
)
param_scheduler[0].update(by_epoch=False, end=100, convert_to_iter_based=False)
param_scheduler[1].update(begin=0, T_max=5, eta_min=3e-6)
auto_scale_lr.update(base_batch_size=16)
randomness = dict(seed=0)
