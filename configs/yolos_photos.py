"""A handful of labelled photos, from scratch: a small YOLOS at 192 pixels.

For seeing whether labels and training fit together before anything larger. With hundreds of photos
take fewer epochs, or fine-tune yolos_tiny_coco.py.

    python tools/train.py configs/yolos_photos.py --data path/to/my_photos
"""

from mmengine.config import read_base

with read_base():
    from .detr_photos import *

from vitdet.backbones import VisionTransformer
from vitdet.detectors import YOLOS

published = dict(num_classes=3, size=(192, 192))

model = dict(
    type=YOLOS,
    data_preprocessor=model["data_preprocessor"],
    num_queries=25,
    mid_img_size=192,
    backbone=dict(
        type=VisionTransformer,
        arch="tiny",
        patch_size=16,
        img_size=192,
        embed_dims=192,
        depth=6,
        num_heads=6,
    ),
    criterion=dict(class_weight=5.0, no_object_weight=0.35),
)
for loader, resize in ((train_dataloader, 2), (val_dataloader, 1), (test_dataloader, 1)):
    loader["dataset"]["pipeline"][resize].update(scale=(192, 192))
