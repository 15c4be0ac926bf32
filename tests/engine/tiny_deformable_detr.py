"""Deformable DETR of 2 M parameters at 64 pixels: seconds per epoch, for tests.

Its width is 256: mmdet encodes boxes in 512 numbers, whatever else.
"""

from mmengine.config import read_base

with read_base():
    from vitdet.configs.swin_deformable_detr_coco import *

from mmdet.datasets.transforms import Resize

attention = dict(embed_dims=256, num_heads=8, dropout=0.0)
feed_forward = dict(embed_dims=256, feedforward_channels=64, ffn_drop=0.0)
model.merge(
    dict(
        num_queries=8,
        backbone=dict(
            embed_dims=12,
            depths=(1, 1, 1, 1),
            num_heads=(1, 1, 2, 2),
            window_size=4,
            drop_path_rate=0.0,
            init_cfg=None,
        ),
        encoder=dict(num_layers=1, layer_cfg=dict(self_attn_cfg=attention, ffn_cfg=feed_forward)),
        decoder=dict(
            num_layers=2,
            layer_cfg=dict(self_attn_cfg=attention, cross_attn_cfg=attention, ffn_cfg=feed_forward),
        ),
        test_cfg=dict(max_per_img=8),
    )
)
train_dataloader["dataset"]["pipeline"][3] = dict(type=Resize, scale=(64, 64), keep_ratio=True)
train_dataloader.update(num_workers=0, persistent_workers=False)
for loader in (val_dataloader, test_dataloader):
    loader["dataset"]["pipeline"][1].update(scale=(64, 64))
    loader.update(num_workers=0, persistent_workers=False)
train_cfg.update(max_epochs=10, val_interval=10)
optim_wrapper["optimizer"].update(lr=3e-3)
default_hooks["logger"].update(interval=1)
randomness = dict(seed=0)
