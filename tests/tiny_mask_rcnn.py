"""A Mask R-CNN small enough for a test, and the checkpoint that training would leave of it."""

from pathlib import Path
from typing import Any

import torch
from mmdet.registry import MODELS, TASK_UTILS, TRANSFORMS
from mmengine.config import Config
from mmengine.registry import DefaultScope

CLASSES = ("ant", "bee", "cat")
_NMS = dict(type="nms", iou_threshold=0.7)


def _bbox_head() -> dict[str, Any]:
    return dict(
        type="Shared2FCBBoxHead",
        in_channels=16,
        fc_out_channels=32,
        roi_feat_size=3,
        num_classes=len(CLASSES),
        bbox_coder=dict(type="DeltaXYWHBBoxCoder"),
        loss_cls=dict(type="CrossEntropyLoss"),
        loss_bbox=dict(type="L1Loss"),
    )


def _roi_layer(size: int) -> dict[str, Any]:
    return dict(
        type="SingleRoIExtractor",
        roi_layer=dict(type="RoIAlign", output_size=size, sampling_ratio=0),
        out_channels=16,
        featmap_strides=[4, 8, 16, 32],
    )


def model() -> dict[str, Any]:
    """The model's config, in mmdet's text style."""
    return dict(
        type="MaskRCNN",
        data_preprocessor=dict(
            type="DetDataPreprocessor",
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
            pad_mask=True,
            pad_size_divisor=32,
        ),
        backbone=dict(type="ResNet", depth=18, base_channels=8),
        neck=dict(type="FPN", in_channels=[8, 16, 32, 64], out_channels=16, num_outs=5),
        rpn_head=dict(
            type="RPNHead",
            in_channels=16,
            feat_channels=16,
            anchor_generator=dict(
                type="AnchorGenerator",
                scales=[8],
                ratios=[0.5, 1.0, 2.0],
                strides=[4, 8, 16, 32, 64],
            ),
            bbox_coder=dict(type="DeltaXYWHBBoxCoder"),
            loss_cls=dict(type="CrossEntropyLoss", use_sigmoid=True),
            loss_bbox=dict(type="L1Loss"),
        ),
        roi_head=dict(
            type="StandardRoIHead",
            bbox_roi_extractor=_roi_layer(3),
            bbox_head=_bbox_head(),
            mask_roi_extractor=_roi_layer(7),
            mask_head=dict(
                type="FCNMaskHead",
                num_convs=1,
                in_channels=16,
                conv_out_channels=16,
                num_classes=len(CLASSES),
                loss_mask=dict(type="CrossEntropyLoss", use_mask=True),
            ),
        ),
        train_cfg=None,
        test_cfg=dict(
            rpn=dict(nms_pre=100, max_per_img=50, nms=_NMS, min_bbox_size=0),
            rcnn=dict(score_thr=0.0, nms=_NMS, max_per_img=10, mask_thr_binary=0.5),
        ),
    )


def config() -> Config:
    """A whole config, as far as inference needs it."""
    pipeline = [
        dict(type="LoadImageFromFile"),
        dict(type="Resize", scale=(96, 64), keep_ratio=True),
        dict(type="LoadAnnotations", with_bbox=True, with_mask=True),
        dict(
            type="PackDetInputs",
            meta_keys=("img_id", "img_path", "ori_shape", "img_shape", "scale_factor"),
        ),
    ]
    return Config(
        dict(
            default_scope="mmdet",
            model=model(),
            test_dataloader=dict(dataset=dict(type="CocoDataset", pipeline=pipeline)),
        )
    )


def with_full_names(node: Any) -> Any:
    """The same config with types as a pure-Python config saves them: module and class."""
    if isinstance(node, dict):
        return {
            key: _full_name(value) if key == "type" else with_full_names(value)
            for key, value in node.items()
        }
    return [with_full_names(item) for item in node] if isinstance(node, list) else node


def _full_name(name: str) -> str:
    for registry in (MODELS, TASK_UTILS, TRANSFORMS):
        found = registry.get(name)
        if found is not None:
            return f"{found.__module__}.{found.__name__}"
    return name


def save_checkpoint(path: Path, *, full_names: bool = False) -> Path:
    """Write what mmengine's runner writes, of a model with random weights."""
    cfg = config()
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmdet"):
        built = MODELS.build(cfg.model)
    if full_names:
        cfg = Config(with_full_names(cfg.to_dict()))
    for parameter in built.parameters():  # strong enough for scores and masks that differ
        torch.nn.init.normal_(parameter, std=0.05)
    torch.save(
        {
            "meta": {"cfg": cfg.pretty_text, "dataset_meta": {"classes": CLASSES}, "epoch": 1},
            "state_dict": built.state_dict(),
            "message_hub": {},
        },
        path,
    )
    return path
