"""UperNet with a Swin of 12 channels on ADE20K: a config to complete, without a schedule."""

from mmengine.config import read_base

with read_base():
    from vitdet.configs._base_.datasets.ade20k import *
    from vitdet.configs._base_.default_runtime import *
    from vitdet.configs._base_.models.upernet import *

from vitdet.backbones import SwinTransformer

default_scope = "mmseg"
model["backbone"] = dict(
    type=SwinTransformer, embed_dims=12, depths=(1, 1, 1, 1), num_heads=(1, 1, 2, 2), window_size=4
)
