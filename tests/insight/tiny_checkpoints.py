"""Checkpoints small enough for a test, of random weights, as a training would leave them."""

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

import vitdet.detectors  # noqa: F401  registered
from tests.tiny_mask_rcnn import CLASSES
from tests.tiny_mask_rcnn import config as mask_rcnn_config

_SWIN = dict(
    type="vitdet.SwinTransformer",
    embed_dims=16,
    depths=(1, 2),
    num_heads=(2, 2),
    window_size=4,
    out_indices=(0, 1),
)
_SEQUENCER = dict(
    type="vitdet.Sequencer2D",
    embed_dims=(8, 16),
    depths=(1, 1),
    hidden_sizes=(4, 4),
    patch_sizes=(4, 2),
    out_indices=(0, 1),
    out_strides=None,
)
_DETR = dict(
    type="vitdet.DETR",
    num_classes=len(CLASSES),
    num_queries=5,
    embed_dims=16,
    num_heads=2,
    num_encoder_layers=1,
    num_decoder_layers=2,
    feedforward_channels=32,
)
_YOLOS = dict(
    type="vitdet.YOLOS",
    backbone=dict(
        arch="tiny", embed_dims=16, depth=3, num_heads=2, patch_size=8, img_size=(64, 96)
    ),
    num_classes=len(CLASSES),
    num_queries=5,
    mid_img_size=0,
)
MODELS_BY_NAME = {
    "detr": dict(_DETR, backbone=_SWIN),
    "sequencer_detr": dict(_DETR, backbone=_SEQUENCER),
    "yolos": _YOLOS,
}


def save_checkpoint(name: str, folder: Path) -> Path:
    """Write the checkpoint of a model of `MODELS_BY_NAME`, and the config beside it."""
    config = mask_rcnn_config()
    preprocessor = dict(config.model.data_preprocessor, pad_mask=False)
    if name == "yolos":
        preprocessor["pad_size_divisor"] = 1
    config.model = Config(dict(MODELS_BY_NAME[name], data_preprocessor=preprocessor))._cfg_dict
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmdet"):
        model = MODELS.build(config.model)
    path = folder / f"{name}.pth"
    meta: dict[str, Any] = {"cfg": config.pretty_text, "dataset_meta": {"classes": CLASSES}}
    torch.save({"meta": meta, "state_dict": model.state_dict()}, path)
    return path
