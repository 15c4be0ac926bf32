"""YOLOS from scratch on generated shapes, on two CPU cores: detection without any convolution.

python tools/train.py configs/yolos_shapes.py
"""

from mmengine.config import read_base

with read_base():
    from .detr_shapes import *

from vitdet.backbones import VisionTransformer
from vitdet.detectors import YOLOS

published = dict(size=(128, 128))

# Patches of 16 pixels, 64 in an image of 128. What counts is how many images it sees: a small
# transformer in batches of 16 places boxes better after 900 steps than six blocks of 192 channels
# in batches of 8 after 4,500. Classes come later still.
model = dict(
    type=YOLOS,
    data_preprocessor=model["data_preprocessor"],
    num_queries=16,
    mid_img_size=128,
    has_sine_start=True,
    backbone=dict(
        type=VisionTransformer,
        arch="tiny",
        patch_size=16,
        img_size=128,
        embed_dims=128,
        depth=4,
        num_heads=4,
    ),
    criterion=dict(class_weight=5.0, no_object_weight=0.35),
)

train_cfg.update(max_epochs=10, val_interval=2)
optim_wrapper["optimizer"].update(lr=1e-3, betas=(0.9, 0.99))
param_scheduler[1].update(T_max=10)
