"""YOLOS from scratch on generated shapes, on two CPU cores: detection without any convolution.

python tools/train.py configs/yolos_shapes.py
"""

from mmengine.config import read_base

with read_base():
    from .detr_shapes import *

from vitdet.backbones import VisionTransformer
from vitdet.detectors import YOLOS

published = dict(size=(128, 128))

# Patches of 16 pixels, 64 in an image of 128: smaller ones cost steps.
model = dict(
    type=YOLOS,
    data_preprocessor=model["data_preprocessor"],
    num_queries=25,
    mid_img_size=128,
    backbone=dict(
        type=VisionTransformer,
        arch="tiny",
        patch_size=16,
        img_size=128,
        embed_dims=192,
        depth=6,
        num_heads=6,
    ),
    criterion=dict(class_weight=5.0, no_object_weight=0.35),
)

train_dataloader.update(batch_size=8)
optim_wrapper["optimizer"].update(lr=5e-4)
auto_scale_lr.update(base_batch_size=8)
