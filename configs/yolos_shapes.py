"""YOLOS from scratch on generated shapes, on two CPU cores: detection without any convolution.

python tools/train.py configs/yolos_shapes.py
"""

from mmengine.config import read_base

with read_base():
    from .detr_shapes import *

from vitdet.backbones import VisionTransformer
from vitdet.detectors import YOLOS

published = dict(size=(160, 160))

# Patches of 10 pixels, 256 in an image of 160: larger ones would not see the small things.
model = dict(
    type=YOLOS,
    data_preprocessor=model["data_preprocessor"],
    num_queries=20,
    mid_img_size=160,
    backbone=dict(
        type=VisionTransformer,
        arch="tiny",
        patch_size=10,
        img_size=160,
        embed_dims=128,
        depth=6,
        num_heads=4,
    ),
)
