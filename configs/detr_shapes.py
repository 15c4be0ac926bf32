"""DETR from scratch on generated shapes, on two CPU cores: set prediction to look at.

python tools/train.py configs/detr_shapes.py
"""

from mmengine.config import read_base

with read_base():
    from ._base_.default_runtime import *
    from ._base_.models.detr import *
    from ._base_.schedules.detr_150e import *

from mmcv.transforms import LoadImageFromFile
from mmdet.datasets.transforms import Resize
from mmengine.dataset import DefaultSampler
from mmengine.optim import CosineAnnealingLR, LinearLR

from vitdet.backbones import ResNet
from vitdet.datasets import LoadAnnotations, ManyShapesDataset, PackDetInputs, RandomFlip
from vitdet.evaluation import CocoMetric

published = dict(size=(128, 128))

# Sized for things of 10 to 64 pixels in images of 128: a map of stride 16 has 64 tokens. Batch norm
# and pre-norm are what let it learn from scratch. More queries lie nearer to the things from the
# start, but learn classes later. With DETR's own class weight of 1 it learns no class for long: the
# gradients of the boxes leave it no share of what clipping lets through. Its weight of 0.1 for "no
# object" is for 100 queries; 25 are nearer to the number of things, and need more to be told off
# for finding one twice.
model.merge(
    dict(
        backbone=dict(
            type=ResNet,
            arch="resnet18",
            base_channels=16,
            has_dilated_c5=True,
            has_frozen_norm=False,
            frozen_stages=-1,
            init_cfg=None,
        ),
        num_queries=25,
        embed_dims=128,
        num_heads=4,
        num_encoder_layers=2,
        num_decoder_layers=3,
        feedforward_channels=256,
        dropout=0.0,
        pre_norm=True,
        criterion=dict(class_weight=5.0, no_object_weight=0.35),
    )
)

train_pipeline = [
    dict(type=LoadImageFromFile),
    dict(type=LoadAnnotations, with_bbox=True),
    dict(type=Resize, scale=(128, 128), keep_ratio=True),
    dict(type=RandomFlip, prob=0.5),
    dict(type=PackDetInputs),
]
test_pipeline = [
    dict(type=LoadImageFromFile),
    dict(type=Resize, scale=(128, 128), keep_ratio=True),
    dict(
        type=PackDetInputs,
        meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor"),
    ),
]
# No loader processes: preparing a batch takes less than fetching it from another process.
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type=DefaultSampler, shuffle=True),
    dataset=dict(
        type=ManyShapesDataset,
        data_root="data/shapes_8000",
        ann_file="train.json",
        data_prefix=dict(img="images/train"),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=10,
    num_workers=0,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(
        type=ManyShapesDataset,
        data_root="data/shapes_8000",
        ann_file="val.json",
        data_prefix=dict(img="images/val"),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type=CocoMetric, metric="bbox")
test_evaluator = val_evaluator

train_cfg.update(max_epochs=17, val_interval=2)
optim_wrapper.merge(
    dict(optimizer=dict(lr=1.5e-3, fused=True), paramwise_cfg=None, clip_grad=dict(max_norm=1.0))
)
param_scheduler = [
    dict(type=LinearLR, start_factor=0.01, by_epoch=False, begin=0, end=200),
    dict(
        type=CosineAnnealingLR,
        by_epoch=True,
        T_max=17,
        eta_min_ratio=0.01,
        convert_to_iter_based=True,
    ),
]
auto_scale_lr.update(base_batch_size=16)
randomness = dict(seed=0)
