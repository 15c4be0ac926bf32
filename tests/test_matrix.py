"""Every backbone under every head: builds, learns, predicts, channels following by themselves."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData, PixelData
from mmseg.structures import SegDataSample
from torch import nn

from vitdet.engine.config_file import read_config
from vitdet.engine.config_model import set_in_channels, set_num_classes

PARTS = Path(__file__).parents[1] / "configs/_base_/models"
DEPTHS = dict(depths=(1, 1, 1, 1))
PLAIN = dict(embed_dims=24, depth=4, num_heads=2)  # of one stride, rescaled to four
PYRAMID = dict(embed_dims=(8, 8, 16, 16), num_heads=(1, 1, 2, 2), mlp_ratios=(2, 2, 2, 2), **DEPTHS)
WINDOWS = dict(embed_dims=8, num_heads=(1, 1, 2, 2), window_size=4, **DEPTHS)
BACKBONES: dict[str, dict[str, Any]] = {
    "swin": dict(type="SwinTransformer", **WINDOWS),
    "swin_v2": dict(type="SwinTransformerV2", **WINDOWS),
    # Its maps must be larger than a window, or the surroundings that it learns are not there.
    "focal": dict(
        type="FocalTransformer",
        pretrain_img_size=64,
        expand_sizes=1,
        **{**WINDOWS, "window_size": 2},
    ),
    "pvt": dict(type="PyramidVisionTransformer", **PYRAMID),
    "pvt_v2": dict(type="PyramidVisionTransformerV2", **PYRAMID),
    "pvt_v2_linear": dict(type="PyramidVisionTransformerV2", arch="b2_linear", **PYRAMID),
    "sequencer": dict(
        type="Sequencer2D", embed_dims=(8, 8, 16, 16), hidden_sizes=(4, 4, 4, 4), **DEPTHS
    ),
    "tnt": dict(type="TNT", inner_dims=8, inner_num_heads=2, **PLAIN),
    "vit": dict(type="VisionTransformer", **PLAIN),
    "deit": dict(type="VisionTransformer", with_distillation_token=True, **PLAIN),
    "vitdet": dict(
        type="VisionTransformer",
        window_size=2,
        global_attn_indices=(1, 3),
        use_rel_pos=True,
        rel_pos_img_size=64,
        **PLAIN,
    ),
    "resnet": dict(type="ResNet", arch="resnet18", base_channels=8, has_frozen_norm=False),
    "timm": dict(type="TimmBackbone", name="resnet10t"),
}
NUM_CLASSES = 3


def model_of(head: str, backbone: str) -> nn.Module:
    config = read_config(PARTS / f"{head}.py")
    is_detector = head in ("mask_rcnn", "retinanet")
    config["default_scope"] = "mmdet" if is_detector else "mmseg"
    node = BACKBONES[backbone]
    config["model"]["backbone"] = {**node, "type": f"vitdet.{node['type']}"}
    shrink(config)
    set_num_classes(config, NUM_CLASSES, override=False)
    set_in_channels(config)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope(config["default_scope"]):
        model = MODELS.build(config["model"])
    model.init_weights()
    return revert_sync_batchnorm(model)


def shrink(config: Config) -> None:
    """Make the heads as narrow as they go."""
    narrow = {256: 16, 512: 16, 128: 16, 1024: 16}

    def visit(node: Any) -> Any:
        if isinstance(node, dict):
            return {
                key: visit(value) if key != "sampler" else dict(value, num=16)
                for key, value in node.items()
            }
        if isinstance(node, list):
            return [visit(value) for value in node]
        return narrow.get(node, node) if isinstance(node, int) else node

    model = config["model"]
    for part in ("neck", "rpn_head", "roi_head", "bbox_head", "decode_head", "auxiliary_head"):
        if part in model:
            model[part] = visit(model[part].to_dict())


def detection_sample(height: int, width: int) -> DetDataSample:
    boxes = torch.tensor([[4.0, 6.0, 30.0, 40.0], [20.0, 10.0, 60.0, 50.0]])
    masks = torch.zeros(2, height, width, dtype=torch.uint8)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes.int().tolist(), strict=True):
        mask[y0:y1, x0:x1] = 1
    sample = DetDataSample(metainfo=meta(height, width))
    sample.gt_instances = InstanceData(
        bboxes=boxes,
        labels=torch.tensor([0, 2]),
        masks=BitmapMasks(masks.numpy(), height, width),
    )
    return sample


def segmentation_sample(height: int, width: int) -> SegDataSample:
    sample = SegDataSample(metainfo=meta(height, width))
    labels = torch.arange(height * width).view(1, height, width) // 7 % NUM_CLASSES
    sample.gt_sem_seg = PixelData(data=labels)
    return sample


def meta(height: int, width: int) -> dict[str, Any]:
    size = (height, width)
    return dict(
        img_shape=size,
        ori_shape=size,
        pad_shape=size,
        scale_factor=(1.0, 1.0),
        img_id=0,
        flip=False,
    )


@pytest.mark.parametrize("head", ["mask_rcnn", "retinanet", "upernet", "semantic_fpn"])
@pytest.mark.parametrize("backbone", BACKBONES)
def test_it_builds_learns_and_predicts(head: str, backbone: str) -> None:
    if backbone == "timm":
        pytest.importorskip("timm")
    model = model_of(head, backbone)
    is_detector = "rpn_head" in dict(model.named_children()) or hasattr(model, "bbox_head")
    sample = detection_sample if is_detector else segmentation_sample

    height, width = 64, 96
    images = [torch.randint(0, 256, (3, height, width), dtype=torch.uint8) for _ in range(2)]
    if not is_detector:  # its preprocessor resizes to the crop that configs train on
        model.data_preprocessor.size = (height, width)
    batch = dict(inputs=images, data_samples=[sample(height, width) for _ in images])
    losses = model(**model.data_preprocessor(batch, training=True), mode="loss")
    loss, _ = model.parse_losses(losses)
    loss.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert any(parameter.grad.abs().max() > 0 for parameter in model.backbone.parameters())

    model.eval()
    height, width = 53, 75
    image = torch.randint(0, 256, (3, height, width), dtype=torch.uint8)
    batch = dict(inputs=[image], data_samples=[sample(height, width)])
    with torch.no_grad():
        (result,) = model(**model.data_preprocessor(batch, training=False), mode="predict")
    if is_detector:
        assert result.pred_instances.bboxes.shape[1] == 4
        assert result.pred_instances.bboxes.isfinite().all()
    else:
        assert result.pred_sem_seg.data.shape == (1, height, width)
        assert result.pred_sem_seg.data.max() < NUM_CLASSES
