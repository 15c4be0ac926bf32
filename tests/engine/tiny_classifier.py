"""A classifier of 10 thousand parameters at 16 pixels: seconds per run, for tests."""

from mmengine.config import read_base

with read_base():
    from vitdet.configs.swin_classifier_shapes import *

model["backbone"] = dict(
    type=SwinTransformer,
    embed_dims=12,
    depths=(1, 1, 1, 1),
    num_heads=(1, 1, 2, 2),
    window_size=4,
    final_norm=True,
    out_indices=(),
)
train_dataloader["dataset"]["pipeline"][2].update(size=32)
train_dataloader.update(batch_size=4)
for loader in (val_dataloader, test_dataloader):
    loader["dataset"]["pipeline"][2].update(size=(32, 32))
train_cfg.update(max_epochs=2)
param_scheduler[0].update(end=2)
