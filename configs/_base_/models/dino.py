"""DINO (Zhang et al. 2023, arXiv:2203.03605) on four scales.

Deformable DETR with 900 queries, wider feed-forward layers without dropout, and boxes and labels
with noise as further queries in training. Left open, and filled in by `vitdet.engine.load_config`:
the backbone, which gives maps of strides 8, 16 and 32, the neck's `in_channels` and `num_classes`.
"""

from mmengine.config import read_base

with read_base():
    from .deformable_detr import *

from mmdet.models.dense_heads import DINOHead
from mmdet.models.detectors import DINO

model.update(
    type=DINO,
    num_queries=900,
    positional_encoding=dict(num_feats=128, normalize=True, offset=0.0, temperature=20),
    dn_cfg=dict(
        label_noise_scale=0.5,
        box_noise_scale=1.0,
        group_cfg=dict(dynamic=True, num_groups=None, num_dn_queries=100),
    ),
    test_cfg=dict(max_per_img=300),
)
for coder in (model["encoder"], model["decoder"]):
    for attention in ("self_attn_cfg", "cross_attn_cfg"):
        if attention in coder["layer_cfg"]:
            coder["layer_cfg"][attention].update(dropout=0.0)
    coder["layer_cfg"]["ffn_cfg"].update(feedforward_channels=2048, ffn_drop=0.0)
model["bbox_head"].update(type=DINOHead)
model["bbox_head"]["loss_cls"].update(loss_weight=1.0)
