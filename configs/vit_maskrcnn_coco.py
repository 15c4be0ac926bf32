"""Mask R-CNN with a plain ViT-B (ViTDet) on COCO, 100 epochs: box AP 51.6, mask AP 45.9.

Li et al. 2022 (arXiv:2203.16527), section 3 and appendix A.2; figures of its released model
(detectron2, projects/ViTDet). The backbone is pre-trained by MAE, without labels; windows of 14
with four global blocks; a pyramid from the last map; images of 1024 with large-scale jitter.
Deviations: bfloat16 in place of float16, steps at whole epochs (89 and 96, there 88.9 and 96.3), no
weight decay on biases.

    tools/dist_train.sh configs/vit_maskrcnn_coco.py 8
    python tools/train.py configs/vit_maskrcnn_coco.py --data path/to/my_data --auto-scale-lr
"""

from mmengine.config import read_base

with read_base():
    from ._base_.datasets.coco_instance import *
    from ._base_.default_runtime import *
    from ._base_.models.mask_rcnn import *
    from ._base_.schedules.adamw_1x import *

from mmcv.transforms import RandomResize
from mmdet.datasets.transforms import FilterAnnotations, RandomCrop
from mmdet.models.roi_heads.bbox_heads import Shared4Conv1FCBBoxHead
from mmengine.optim import AmpOptimWrapper

from vitdet.backbones import VisionTransformer
from vitdet.engine.layer_decay import LayerDecayConstructor
from vitdet.layers import LayerNorm2d
from vitdet.necks import SimpleFeaturePyramid

side = 1024
norm = dict(type=LayerNorm2d, eps=1e-6)
published = dict(
    box_ap=51.6,
    mask_ap=45.9,
    params=111,
    size=(1024, 1024),
    source="detectron2, projects/ViTDet",
)

model.update(
    backbone=dict(
        type=VisionTransformer,
        arch="base",
        drop_path_rate=0.1,
        window_size=14,
        use_rel_pos=True,
        rel_pos_img_size=side,
        out_strides=None,
        init_cfg=dict(
            type="Pretrained",
            checkpoint="https://dl.fbaipublicfiles.com/mae/pretrain/mae_pretrain_vit_base.pth",
        ),
    ),
    neck=dict(type=SimpleFeaturePyramid, out_channels=256, num_outs=5),
)
model.merge(
    dict(
        data_preprocessor=dict(pad_size_divisor=side),  # every image to 1024 x 1024
        rpn_head=dict(num_convs=2),
        roi_head=dict(
            bbox_head=dict(type=Shared4Conv1FCBBoxHead, conv_out_channels=256, norm_cfg=norm),
            mask_head=dict(norm_cfg=norm),
        ),
    )
)

train_dataloader.update(batch_size=8)
train_dataloader["dataset"]["pipeline"] = [
    dict(type=LoadImageFromFile),
    dict(type=LoadAnnotations, with_bbox=True, with_mask=True),
    dict(type=RandomFlip, prob=0.5),
    dict(type=RandomResize, scale=(side, side), ratio_range=(0.1, 2.0), keep_ratio=True),
    dict(
        type=RandomCrop,
        crop_type="absolute",
        crop_size=(side, side),
        recompute_bbox=True,
        allow_negative_crop=True,
    ),
    dict(type=FilterAnnotations, min_gt_bbox_wh=(1e-2, 1e-2)),
    dict(type=PackDetInputs),
]
for loader in (val_dataloader, test_dataloader):
    loader["dataset"]["pipeline"][1].update(scale=(side, side))

train_cfg.update(max_epochs=100, val_interval=5)
optim_wrapper = dict(
    type=AmpOptimWrapper,
    dtype="bfloat16",
    constructor=LayerDecayConstructor,
    paramwise_cfg=dict(layer_decay_rate=0.7),
    optimizer=dict(type=AdamW, lr=1e-4, betas=(0.9, 0.999), weight_decay=0.1),
)
param_scheduler = [
    dict(type=LinearLR, start_factor=0.001, by_epoch=False, begin=0, end=250),
    dict(type=MultiStepLR, by_epoch=True, begin=0, end=100, milestones=[89, 96], gamma=0.1),
]
# Used with --auto-scale-lr and --data: the learning rate above belongs to 8 GPUs of 8 images.
auto_scale_lr.update(base_batch_size=64)
