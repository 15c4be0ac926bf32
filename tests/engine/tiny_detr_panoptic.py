"""DETR with masks, of 0.5 M parameters at 64 pixels: seconds per epoch, for tests."""

from mmengine.config import read_base

with read_base():
    from vitdet.configs.detr_panoptic_coco import *

from mmdet.datasets.transforms import Resize

model.merge(
    dict(
        backbone=dict(
            arch="resnet18",
            base_channels=8,
            has_frozen_norm=False,
            frozen_stages=-1,
        ),
        num_queries=12,
        embed_dims=128,
        num_encoder_layers=1,
        num_decoder_layers=2,
        feedforward_channels=64,
        dropout=0.0,
        panoptic_threshold=0.25,
    )
)
load_from = None
train_dataloader["dataset"]["pipeline"] = [
    dict(type=LoadImageFromFile),
    dict(type=LoadPanopticSegments),
    dict(type=Resize, scale=(64, 64), keep_ratio=True),
    dict(type=RandomFlip, prob=0.5),
    dict(type=PackDetInputs),
]
train_dataloader.update(num_workers=0, persistent_workers=False)
for loader in (val_dataloader, test_dataloader):
    loader["dataset"]["pipeline"][1].update(scale=(64, 64))
    loader.update(num_workers=0, persistent_workers=False)
train_cfg.update(max_epochs=10, val_interval=10)
optim_wrapper["optimizer"].update(lr=1e-3)
optim_wrapper.update(paramwise_cfg=None)
default_hooks["logger"].update(interval=1)
log_processor.update(window_size=1)
randomness = dict(seed=0)
