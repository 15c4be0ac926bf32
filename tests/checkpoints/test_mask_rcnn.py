"""mmdet's Mask R-CNN around our Swin gives the numbers of mmdet's and of the authors' own."""

from pathlib import Path
from typing import Any

import mmdet
import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from torch import Tensor, nn

from tests.reference.fixtures import Fixture
from vitdet.backbones import SwinTransformer
from vitdet.checkpoints import load_checkpoint

FIXTURES = [
    "mask_rcnn_swin_t_mmdet",
    "mask_rcnn_swin_t_official",
    "mask_rcnn_small_mmdet_with_losses",
]
BACKBONE = ("embed_dims", "depths", "num_heads", "window_size")
LEVELS = ("p2", "p3", "p4", "p5", "p6")


def build_mask_rcnn(args: dict[str, Any]) -> nn.Module:
    """mmdet's own config of Mask R-CNN, with the fixture's sizes and our backbone."""
    base = ".mim/configs/_base_/models/mask-rcnn_r50_fpn.py"
    config = Config.fromfile(Path(mmdet.__file__).parent / base).model
    theirs, channels = args["backbone"], args["fpn_channels"]
    backbone = dict(
        type=SwinTransformer,
        embed_dims=theirs.get("embed_dims", theirs.get("embed_dim")),
        depths=theirs["depths"],
        num_heads=theirs["num_heads"],
        window_size=theirs["window_size"],
    )
    config.backbone = ConfigDict(backbone)
    config.neck.in_channels = [backbone["embed_dims"] * 2**stage for stage in range(4)]
    config.neck.out_channels = channels
    config.rpn_head.update(in_channels=channels, feat_channels=channels)
    roi_head = config.roi_head
    for extractor in (roi_head.bbox_roi_extractor, roi_head.mask_roi_extractor):
        extractor.out_channels = channels
    roi_head.bbox_head.update(in_channels=channels, num_classes=args["num_classes"])
    roi_head.mask_head.update(in_channels=channels, num_classes=args["num_classes"])
    config.test_cfg = args["test_cfg"]
    config.train_cfg = args.get("train_cfg", config.train_cfg)
    config.data_preprocessor = dict(type="DetDataPreprocessor", pad_size_divisor=32)
    return config


def adapt_to_keys(config: Any, fixture: Fixture) -> None:
    """Hidden sizes of the heads, which the fixture tells only by its entries' shapes."""
    shapes = {entry[0]: entry[1] for entry in fixture.meta["state_dict"]}
    roi_head = config.roi_head
    roi_head.bbox_head.fc_out_channels = shapes["roi_head.bbox_head.shared_fcs.0.weight"][0]
    roi_head.mask_head.conv_out_channels = shapes["roi_head.mask_head.convs.0.conv.weight"][0]
    config.rpn_head.feat_channels = shapes["rpn_head.rpn_conv.weight"][0]


@pytest.fixture(scope="module", params=FIXTURES)
def loaded(request: pytest.FixtureRequest) -> tuple[Fixture, nn.Module, Tensor, list]:
    """The fixture, its model with its weights, the padded batch and its data samples."""
    fixture = Fixture(request.param)
    config = build_mask_rcnn(fixture.args)
    adapt_to_keys(config, fixture)
    with DefaultScope.overwrite_default_scope("mmdet"):
        model = MODELS.build(config).eval()
    report = load_checkpoint(model, {"state_dict": fixture.state_dict(), "meta": {}})
    assert not report.missing and report.layouts == {"backbone": fixture.meta["layout"]}
    scale = fixture.args["scale_factor"]
    data = {"inputs": fixture.images(), "data_samples": []}
    for image in data["inputs"]:
        size = tuple(image.shape[1:])
        original = tuple(round(side / scale) for side in size)
        sample = DetDataSample(
            metainfo=dict(img_shape=size, ori_shape=original, scale_factor=(scale, scale))
        )
        data["data_samples"].append(sample)
    batch = model.data_preprocessor(data)
    return fixture, model, batch["inputs"], batch["data_samples"]


@torch.no_grad()
def test_maps_and_head_outputs(loaded: tuple) -> None:
    fixture, model, inputs, _ = loaded
    maps = model.extract_feat(inputs)
    logits, deltas = model.rpn_head(maps)
    for level, *tensors in zip(LEVELS, maps, logits, deltas, strict=True):
        for name, tensor in zip(("fpn", "rpn.cls_logits", "rpn.box_deltas"), tensors, strict=True):
            fixture.assert_close(f"{name}.{level}", tensor)
    rois = torch.from_numpy(fixture.values["fixed_rois"])
    boxes = model.roi_head._bbox_forward(maps, rois)
    fixture.assert_close("fixed_rois.cls_logits", boxes["cls_score"])
    fixture.assert_close("fixed_rois.box_deltas", boxes["bbox_pred"])
    masks = model.roi_head._mask_forward(maps, rois)["mask_preds"]
    fixture.assert_close("fixed_rois.mask_logits", masks)


@torch.no_grad()
def test_detections(loaded: tuple) -> None:
    """Same boxes, scores, labels and pixels of every mask."""
    fixture, model, inputs, samples = loaded
    for index, result in enumerate(model.predict(inputs, samples)):
        found = result.pred_instances
        fixture.assert_close(f"det{index}.boxes", found.bboxes)
        fixture.assert_close(f"det{index}.scores", found.scores)
        for name, tensor in (("labels", found.labels), ("masks", found.masks)):
            assert np.array_equal(tensor.numpy(), fixture.values[f"det{index}.{name}"])


@pytest.mark.parametrize("loaded", ["mask_rcnn_small_mmdet_with_losses"], indirect=True)
def test_losses(loaded: tuple) -> None:
    fixture, model, inputs, samples = loaded
    for index, sample in enumerate(samples):
        boxes, labels, masks = (
            fixture.values[f"gt{index}.{name}"] for name in ("boxes", "labels", "masks")
        )
        # The fixture counts anchors in all of the batch's padding, not only in the image's own.
        sample.set_metainfo(dict(pad_shape=tuple(inputs.shape[2:])))
        sample.gt_instances = InstanceData(
            bboxes=torch.from_numpy(boxes),
            labels=torch.from_numpy(labels),
            masks=BitmapMasks(masks, *inputs.shape[2:]),
        )
    losses = model.loss(inputs, samples)
    assert losses
    for name, value in losses.items():
        if isinstance(value, list):
            for level, part in enumerate(value):
                fixture.assert_close(f"loss.{name}.level{level}", part)
            value = sum(value)
            name = f"{name}.sum"
        fixture.assert_close(f"loss.{name}", value.reshape(()))
    model.parse_losses(losses)[0].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.backbone.parameters())


def test_detector_loads_its_backbone_from_init_cfg(tmp_path: Path) -> None:
    """The way a training run begins: mmdet's init_weights, a classification-like file."""
    fixture = Fixture("mask_rcnn_small_mmdet_with_losses")
    state = {
        key.removeprefix("backbone."): value
        for key, value in fixture.state_dict().items()
        if key.startswith("backbone.") and ".norm" not in key[:13]
    }
    torch.save({"model": state}, tmp_path / "swin.pth")
    config = build_mask_rcnn(fixture.args)
    config.backbone.init_cfg = dict(type="Pretrained", checkpoint=str(tmp_path / "swin.pth"))
    with DefaultScope.overwrite_default_scope("mmdet"):
        model = MODELS.build(config)
    model.init_weights()
    expected = SwinTransformer(**{k: v for k, v in config.backbone.items() if k in BACKBONE})
    load_checkpoint(expected, state)
    for name, parameter in model.backbone.named_parameters():
        if name.startswith("norms."):
            assert not parameter.std() > 0
        else:
            assert torch.equal(parameter, expected.get_parameter(name))
