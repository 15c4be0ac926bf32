"""The model of a shipped recipe at widths that take no time."""

from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

WIDTHS = dict(
    in_channels=16,
    feat_channels=16,
    conv_out_channels=16,
    fc_out_channels=32,
    stacked_convs=1,
    num_shared_convs=1,
    num_convs=1,
)


def narrow(node: Any) -> None:
    """Make every head and extractor small, in place."""
    if isinstance(node, dict):
        for key in node:
            if key in WIDTHS:
                node[key] = WIDTHS[key]
            elif key == "out_channels":
                node[key] = 16
            elif key == "norm_cfg":
                node[key] = dict(type="BN")  # SyncBN needs a GPU to train
            else:
                narrow(node[key])
    elif isinstance(node, list | tuple):
        for item in node:
            narrow(item)


def small_model(config: Config) -> torch.nn.Module:
    model = config.model
    backbone = model.backbone
    indices = backbone.get("out_indices", (0, 1, 2, 3))
    for key in ("neck", "rpn_head", "roi_head", "bbox_head"):
        narrow(model.get(key))
    model.neck.in_channels = [12 * 2**index for index in indices]
    backbone.pop("init_cfg")
    backbone.update(embed_dims=12, depths=(1, 1, 1, 1), num_heads=(1, 1, 2, 2), window_size=4)
    test_cfg = model.test_cfg.get("rcnn", model.test_cfg)
    test_cfg.score_thr = 0.0
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmdet"):
        return MODELS.build(model)
