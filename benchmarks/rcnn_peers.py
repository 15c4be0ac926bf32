"""What the benchmarks of R-CNN share: the same model of ours and of others, and a batch."""

import copy
import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mmdet
import numpy as np
import torch
from backbone_peers import load_state
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData
from swin_backbone import in_mmdet_layout
from torch import Tensor, nn
from torchvision.models import resnet50
from torchvision.models.detection import MaskRCNN as TorchvisionMaskRCNN
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import FrozenBatchNorm2d

from vitdet.backbones import ResNet, SwinTransformer
from vitdet.engine.config_file import read_config
from vitdet.engine.config_model import set_in_channels, set_num_classes
from vitdet.layers.winograd import use_winograd

NUM_CLASSES, NUM_OBJECTS = 80, 7
MMDETS_CONFIG = (
    Path(mmdet.__file__).parent / ".mim/configs/swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py"
)


def build(model: Any) -> nn.Module:
    with DefaultScope.overwrite_default_scope("mmdet"):
        return MODELS.build(copy.deepcopy(model))


def our_model(name: str, backbone: dict[str, Any] | None = None) -> nn.Module:
    """One of our configs with COCO's classes, if asked another backbone, and random weights."""
    config = read_config(name)
    config.model.backbone = backbone or {**config.model.backbone, "init_cfg": None}
    set_num_classes(config, NUM_CLASSES, override=False)
    set_in_channels(config)
    torch.manual_seed(0)
    model = use_winograd(build(config.model))  # as Runner and Predictor do
    MMLogger.get_current_instance().setLevel(logging.WARNING)  # it tells of every weight
    model.init_weights()
    return model


def vitdet_swin(name: str = "swin_maskrcnn_coco") -> nn.Module:
    return our_model(name, dict(type=SwinTransformer, arch="tiny", drop_path_rate=0.0))


def mmdet_swin() -> nn.Module:
    """mmdet's own Mask R-CNN, heads and backbone, with the weights of ours.

    RoIAlign is torchvision's, whose algorithm a compiled mmcv has too.
    """
    config = Config.fromfile(MMDETS_CONFIG).model
    config.backbone.update(drop_path_rate=0.0, init_cfg=None)
    for extractor in ("bbox_roi_extractor", "mask_roi_extractor"):
        config.roi_head[extractor].roi_layer.use_torchvision = True
    model = build(config)
    state = vitdet_swin().state_dict()
    backbone = {k.removeprefix("backbone."): v for k, v in state.items() if k.startswith("back")}
    state = {key: value for key, value in state.items() if not key.startswith("backbone.")}
    state |= {f"backbone.{key}": value for key, value in in_mmdet_layout(backbone).items()}
    load_state(model, state, computed="relative_position_index")
    return model


def vitdet_resnet() -> nn.Module:
    """Mask R-CNN with ResNet-50, stem and first stage frozen like all norms."""
    model = our_model("swin_maskrcnn_coco", dict(type=ResNet, arch="resnet50", frozen_stages=1))
    for name, tensor in model.backbone.state_dict().items():
        if name.endswith("bn3.weight"):
            tensor.fill_(0.2)  # of random weights: the maps would grow with every block
    return model


def torchvision_resnet() -> nn.Module:
    """torchvision's Mask R-CNN with ResNet-50, with the weights of ours and as many RoIs."""
    backbone = resnet50(weights=None, norm_layer=FrozenBatchNorm2d)
    model = TorchvisionMaskRCNN(
        _resnet_fpn_extractor(backbone, trainable_layers=3),
        num_classes=NUM_CLASSES + 1,
        rpn_pre_nms_top_n_train=2000,
        rpn_post_nms_top_n_train=1000,
    )
    load_state(model, in_torchvision_layout(vitdet_resnet().state_dict()))
    return model


def in_torchvision_layout(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our weights under torchvision's names; background is its first class, not the last."""
    renames = [
        (r"^backbone\.", "backbone.body."),
        (r"^neck\.lateral_convs\.(\d)\.conv", r"backbone.fpn.inner_blocks.\1.0"),
        (r"^neck\.fpn_convs\.(\d)\.conv", r"backbone.fpn.layer_blocks.\1.0"),
        (r"^rpn_head\.rpn_conv", "rpn.head.conv.0.0"),
        (r"^rpn_head\.rpn_cls", "rpn.head.cls_logits"),
        (r"^rpn_head\.rpn_reg", "rpn.head.bbox_pred"),
        (r"^roi_head\.bbox_head\.shared_fcs\.0", "roi_heads.box_head.fc6"),
        (r"^roi_head\.bbox_head\.shared_fcs\.1", "roi_heads.box_head.fc7"),
        (r"^roi_head\.bbox_head\.fc_cls", "roi_heads.box_predictor.cls_score"),
        (r"^roi_head\.bbox_head\.fc_reg", "roi_heads.box_predictor.bbox_pred"),
        (r"^roi_head\.mask_head\.convs\.(\d)\.conv", r"roi_heads.mask_head.\1.0"),
        (r"^roi_head\.mask_head\.upsample", "roi_heads.mask_predictor.conv5_mask"),
        (r"^roi_head\.mask_head\.conv_logits", "roi_heads.mask_predictor.mask_fcn_logits"),
    ]
    renamed = {}
    for key, tensor in state.items():
        if "fc_cls" in key:
            tensor = tensor.roll(1, 0)
        elif "fc_reg" in key or "conv_logits" in key:  # rows of a background that is not learned
            background = torch.zeros_like(tensor[: len(tensor) // NUM_CLASSES])
            tensor = torch.cat([background, tensor])
        for pattern, replacement in renames:
            key, count = re.subn(pattern, replacement, key)
            if count:
                break
        renamed[key] = tensor
    return renamed


def batch(size: tuple[int, int], num_images: int) -> tuple[Tensor, list[DetDataSample]]:
    """Normalized images: (B, 3, H, W), and for each its objects, whose masks are ellipses."""
    generator = torch.Generator().manual_seed(0)
    height, width = size
    images = torch.randn(num_images, 3, height, width, generator=generator)
    samples = []
    for index in range(num_images):
        sides = torch.rand(NUM_OBJECTS, 2, generator=generator) * 0.4 + 0.1
        corners = torch.rand(NUM_OBJECTS, 2, generator=generator) * (1 - sides)
        scale = torch.tensor([width, height] * 2)
        boxes = torch.cat([corners, corners + sides], dim=1) * scale
        sample = DetDataSample(
            metainfo=dict(
                img_id=index,
                img_shape=size,
                ori_shape=size,
                pad_shape=size,
                batch_input_shape=size,
                scale_factor=(1.0, 1.0),
            )
        )
        sample.gt_instances = InstanceData(
            bboxes=boxes,
            labels=torch.randint(NUM_CLASSES, (NUM_OBJECTS,), generator=generator),
            masks=BitmapMasks(ellipses(boxes.numpy(), size), *size),
        )
        samples.append(sample)
    return images, samples


def ellipses(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Masks (T, H, W), uint8, of the ellipses that touch the sides of boxes: (T, 4) xyxy."""
    x1, y1, x2, y2 = (side[:, None, None] for side in boxes.T)
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    across = (2 * x - x1 - x2) / (x2 - x1)
    down = (2 * y - y1 - y2) / (y2 - y1)
    return (across**2 + down**2 <= 1).astype(np.uint8)


Losses = Callable[[], Mapping[str, Any]]


def mmdet_losses(model: nn.Module, size: tuple[int, int], num_images: int) -> Losses:
    """The loss pass of a model of mmdet's or ours; without the data preprocessor."""
    images, samples = batch(size, num_images)
    return lambda: model.loss(images, samples)


def torchvision_losses(model: nn.Module, size: tuple[int, int], num_images: int) -> Losses:
    """The loss pass of torchvision's model; without its resizing."""
    images, samples = batch(size, num_images)
    targets = [
        {
            "boxes": sample.gt_instances.bboxes,
            "labels": sample.gt_instances.labels + 1,
            "masks": torch.from_numpy(sample.gt_instances.masks.masks),
        }
        for sample in samples
    ]

    def losses() -> Mapping[str, Any]:
        maps = model.backbone(images)
        inputs = ImageList(images, [size] * num_images)
        proposals, rpn_losses = model.rpn(inputs, maps, targets)
        _, roi_losses = model.roi_heads(maps, proposals, inputs.image_sizes, targets)
        return rpn_losses | roi_losses

    return losses
