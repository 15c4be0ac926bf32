"""UperNet with a Swin of 0.1 M parameters at 64 pixels: seconds for 20 steps, for tests."""

from mmengine.config import read_base

with read_base():
    from vitdet.configs.swin_upernet_ade20k import *

from vitdet.datasets import SemanticFolder

model["backbone"] = dict(
    type=SwinTransformer, embed_dims=12, depths=(1, 1, 1, 1), num_heads=(1, 1, 2, 2), window_size=4
)
model["decode_head"].update(channels=16)
model["auxiliary_head"].update(channels=8)

size = (64, 64)
train_dataloader.update(batch_size=4, num_workers=0, persistent_workers=False)
train_dataloader["dataset"].update(type=SemanticFolder)
train_dataloader["dataset"]["pipeline"][2].update(scale=size)
train_dataloader["dataset"]["pipeline"][3].update(crop_size=size)
for loader in (val_dataloader, test_dataloader):
    loader["dataset"].update(type=SemanticFolder)
    loader["dataset"]["pipeline"][1].update(scale=size)
    loader.update(num_workers=0, persistent_workers=False)
train_cfg.update(max_iters=20, val_interval=10)
optim_wrapper["optimizer"].update(lr=3e-3)
param_scheduler[0].update(end=2)
param_scheduler[1].update(begin=2, end=20)
default_hooks["logger"].update(interval=1)
randomness = dict(seed=0)
