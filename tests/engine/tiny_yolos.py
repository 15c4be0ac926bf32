"""YOLOS of 0.1 M parameters at 64 pixels: seconds per epoch, for tests."""

from mmengine.config import read_base

with read_base():
    from vitdet.configs.yolos_small_coco import *

from mmdet.datasets.transforms import Resize

model["backbone"].update(
    embed_dims=48, depth=3, num_heads=3, patch_size=8, img_size=64, init_cfg=None
)
model.update(num_queries=8, mid_img_size=64)
train_dataloader["dataset"]["pipeline"] = [
    dict(type=LoadImageFromFile),
    dict(type=LoadAnnotations, with_bbox=True),
    dict(type=Resize, scale=(64, 64), keep_ratio=True),
    dict(type=RandomFlip, prob=0.5),
    dict(type=PackDetInputs),
]
train_dataloader.update(batch_size=2, num_workers=0, persistent_workers=False)
for loader in (val_dataloader, test_dataloader):
    loader["dataset"]["pipeline"][1].update(scale=(64, 64))
    loader.update(num_workers=0, persistent_workers=False)
train_cfg.update(max_epochs=10, val_interval=10)
optim_wrapper["optimizer"].update(lr=3e-3)
param_scheduler = []
default_hooks["logger"].update(interval=1)
randomness = dict(seed=0)
