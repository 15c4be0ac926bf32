"""The quick start: a small Mask R-CNN with Swin, from scratch in minutes on two CPU cores.

The data set is generated on first use: six kinds of things in clutter, a third of them partly
hidden (vitdet/datasets/shapes.py). AP50 of boxes and masks on its 100 held-out images: see README.

    python tools/train.py configs/swin_maskrcnn_shapes.py
"""

from mmengine.config import read_base

with read_base():
    from ._base_.default_runtime import *
    from ._base_.models.mask_rcnn import *
    from ._base_.schedules.adamw_1x import *

from mmcv.transforms import LoadImageFromFile
from mmdet.datasets.transforms import PhotoMetricDistortion, Resize
from mmdet.models.roi_heads.bbox_heads import ConvFCBBoxHead
from mmengine.dataset import DefaultSampler
from mmengine.optim import AmpOptimWrapper, CosineAnnealingLR

from vitdet.backbones import SwinTransformer
from vitdet.datasets import LoadAnnotations, PackDetInputs, RandomFlip, ShapesDataset
from vitdet.evaluation import CocoMetric

published = dict(
    box_ap=35.2,
    mask_ap=29.6,
    num_classes=6,
    size=(160, 160),
    source="measured here, on the generated data",
)

# Sized for things of 13 to 80 pixels in images of 160: a window of 5 divides every map (40, 20,
# 10, 5), and batch norm is what lets neck and heads learn from scratch in so few steps.
norm = dict(type="BN")
channels = 48
strides = [4, 8, 16, 32]
roi_levels = dict(out_channels=channels, featmap_strides=strides[:2], finest_scale=28)
model.merge(
    dict(
        backbone=dict(
            type=SwinTransformer,
            embed_dims=48,
            depths=[2, 2, 4, 2],
            num_heads=[2, 4, 8, 16],
            window_size=5,
            drop_path_rate=0.0,
        ),
        neck=dict(out_channels=channels, num_outs=4, norm_cfg=norm),
        rpn_head=dict(
            in_channels=channels,
            feat_channels=channels,
            anchor_generator=dict(scales=[4], strides=strides),
        ),
        roi_head=dict(
            bbox_roi_extractor=dict(roi_layer=dict(sampling_ratio=1), **roi_levels),
            bbox_head=dict(
                type=ConvFCBBoxHead,
                num_shared_convs=2,
                num_shared_fcs=1,
                in_channels=channels,
                conv_out_channels=channels,
                fc_out_channels=256,
                norm_cfg=norm,
                reg_class_agnostic=True,
            ),
            mask_roi_extractor=dict(roi_layer=dict(sampling_ratio=1), **roi_levels),
            mask_head=dict(
                num_convs=2, in_channels=channels, conv_out_channels=channels, norm_cfg=norm
            ),
        ),
        train_cfg=dict(
            rpn=dict(sampler=dict(num=64)),
            rpn_proposal=dict(nms_pre=200, max_per_img=100),
            rcnn=dict(sampler=dict(num=32, pos_fraction=0.375)),
        ),
        test_cfg=dict(rpn=dict(nms_pre=200, max_per_img=100), rcnn=dict(max_per_img=50)),
    )
)

train_pipeline = [
    dict(type=LoadImageFromFile),
    dict(type=LoadAnnotations, with_bbox=True, with_mask=True),
    dict(type=Resize, scale=(160, 160), keep_ratio=True),
    dict(type=RandomFlip, prob=0.5),
    dict(type=PhotoMetricDistortion),
    dict(type=PackDetInputs),
]
test_pipeline = [
    dict(type=LoadImageFromFile),
    dict(type=Resize, scale=(160, 160), keep_ratio=True),
    dict(
        type=PackDetInputs,
        meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor"),
    ),
]
# No loader processes: preparing a batch takes 13 ms, fetching it from another process 20.
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    sampler=dict(type=DefaultSampler, shuffle=True),
    dataset=dict(
        type=ShapesDataset,
        data_root="data/shapes",
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
        type=ShapesDataset,
        data_root="data/shapes",
        ann_file="val.json",
        data_prefix=dict(img="images/val"),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type=CocoMetric, metric=["bbox", "segm"])
test_evaluator = val_evaluator

train_cfg.update(max_epochs=10, val_interval=5)
optim_wrapper.merge(
    dict(
        type=AmpOptimWrapper,
        dtype="bfloat16",
        optimizer=dict(lr=1e-3, fused=True),
        paramwise_cfg=None,  # one group for all: a group for each parameter costs 3 % of a step
        clip_grad=dict(max_norm=5.0),
    )
)
param_scheduler = [
    dict(type=LinearLR, start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(
        type=CosineAnnealingLR,
        by_epoch=True,
        T_max=10,
        eta_min_ratio=0.01,
        convert_to_iter_based=True,
    ),
]
auto_scale_lr.update(base_batch_size=8)
randomness = dict(seed=0)
