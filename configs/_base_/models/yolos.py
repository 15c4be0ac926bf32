"""YOLOS-S (Fang et al. 2021, arXiv:2106.00666).

`num_classes` is left open, and filled in by `vitdet.engine.load_config`.
"""

from mmdet.models.data_preprocessors import DetDataPreprocessor

from vitdet.backbones import VisionTransformer
from vitdet.detectors import YOLOS

model = dict(
    type=YOLOS,
    data_preprocessor=dict(
        type=DetDataPreprocessor,
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=1,
    ),
    backbone=dict(
        type=VisionTransformer,
        arch="small",
        init_cfg=dict(
            type="Pretrained",
            checkpoint="https://dl.fbaipublicfiles.com/deit/deit_small_patch16_224-cd65a155.pth",
        ),
    ),
)
