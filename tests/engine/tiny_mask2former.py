"""Mask2Former of 0.1 M parameters at 64 pixels: seconds per epoch, for tests."""

from mmengine.config import read_base

with read_base():
    from vitdet.configs.swin_mask2former_coco import *

attention = dict(embed_dims=32, num_heads=4)
feed_forward = dict(embed_dims=32, feedforward_channels=64)
positions = dict(num_feats=16)
model.merge(
    dict(
        data_preprocessor=dict(batch_augments=None),
        backbone=dict(
            embed_dims=12,
            depths=(1, 1, 1, 1),
            num_heads=(1, 1, 2, 2),
            window_size=4,
            drop_path_rate=0.0,
            init_cfg=None,
        ),
        panoptic_head=dict(
            feat_channels=32,
            out_channels=32,
            num_queries=8,
            pixel_decoder=dict(
                norm_cfg=dict(num_groups=8),
                encoder=dict(
                    num_layers=1, layer_cfg=dict(self_attn_cfg=attention, ffn_cfg=feed_forward)
                ),
                positional_encoding=positions,
            ),
            positional_encoding=positions,
            transformer_decoder=dict(
                num_layers=3,
                layer_cfg=dict(
                    self_attn_cfg=attention, cross_attn_cfg=attention, ffn_cfg=feed_forward
                ),
            ),
        ),
        train_cfg=dict(num_points=196),
        test_cfg=dict(max_per_image=8),
    )
)
train_dataloader["dataset"]["pipeline"][3].update(scale=(64, 64), ratio_range=(1.0, 1.0))
train_dataloader["dataset"]["pipeline"][4].update(crop_size=(64, 64))
train_dataloader.update(num_workers=0, persistent_workers=False)
for loader in (val_dataloader, test_dataloader):
    loader["dataset"]["pipeline"][1].update(scale=(64, 64))
    loader.update(num_workers=0, persistent_workers=False)
train_cfg.update(max_epochs=10, val_interval=10)
optim_wrapper["optimizer"].update(lr=3e-3)
default_hooks["logger"].update(interval=1)
randomness = dict(seed=0)
