"""DETR (Carion et al. 2020, arXiv:2005.12872).

`num_classes` is left open, and filled in by `vitdet.engine.load_config`. The backbone returns its
last map only.
"""

from mmdet.models.data_preprocessors import DetDataPreprocessor

from vitdet.backbones import ResNet
from vitdet.detectors import DETR

model = dict(
    type=DETR,
    data_preprocessor=dict(
        type=DetDataPreprocessor,
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=1,
    ),
    backbone=dict(
        type=ResNet,
        arch="resnet50",
        out_indices=(3,),
        frozen_stages=1,
        init_cfg=dict(type="Pretrained", checkpoint="torchvision://resnet50"),
    ),
)
