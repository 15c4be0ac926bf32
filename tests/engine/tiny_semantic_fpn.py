"""Semantic FPN with a PVT v2 of 0.1 M parameters at 64 pixels: seconds for 20 steps, for tests."""

from mmengine.config import read_base

with read_base():
    from vitdet.configs._base_.models.semantic_fpn import model as semantic_fpn

    from .tiny_upernet import *

from vitdet.backbones import PyramidVisionTransformerV2

model = semantic_fpn
model["backbone"] = dict(
    type=PyramidVisionTransformerV2,
    embed_dims=(8, 8, 16, 16),
    depths=(1, 1, 1, 1),
    num_heads=(1, 1, 2, 2),
    mlp_ratios=(2, 2, 2, 2),
)
model["neck"].update(out_channels=16)
model["decode_head"].update(in_channels=[16] * 4, channels=16)
