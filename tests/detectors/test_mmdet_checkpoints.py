"""Checkpoints that mmdet trained with its own Swin give the same results around ours."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData
from torch import nn

from vitdet.checkpoints import load_checkpoint
from vitdet.engine.config_file import read_config
from vitdet.engine.config_model import set_in_channels, set_num_classes

FOLDER = Path(__file__).parents[1] / "engine"
NAMES = ["tiny_deformable_detr", "tiny_dino", "tiny_mask2former"]
CLASSES = ("ant", "bee", "cat")


def config_of(name: str) -> Config:
    config = read_config(FOLDER / f"{name}.py")
    set_num_classes(config, len(CLASSES), override=False)
    set_in_channels(config)
    return config


def build(model: Any) -> nn.Module:
    with DefaultScope.overwrite_default_scope("mmdet"):
        return MODELS.build(copy.deepcopy(model))


def with_mmdets_swin(model: Any) -> nn.Module:
    """The same detector around mmdet's backbone, all of its weights random."""
    model = copy.deepcopy(model)
    backbone = model.backbone
    backbone.update(type="mmdet.SwinTransformer")
    for key in ("arch", "init_cfg"):
        backbone.pop(key, None)
    theirs = build(model)
    torch.manual_seed(0)
    for name, parameter in theirs.named_parameters():
        scale = 0.06 if parameter.ndim > 1 else 0.05
        is_scale = parameter.ndim == 1 and name.endswith("weight")
        parameter.data.normal_(mean=float(is_scale), std=scale)
    return theirs


def batch() -> dict[str, list]:
    """Two images of different sizes, with masks."""
    generator = torch.Generator().manual_seed(0)
    data: dict[str, list] = {"inputs": [], "data_samples": []}
    for index, (height, width) in enumerate([(64, 96), (80, 72)]):
        image = torch.randint(256, (3, height, width), generator=generator, dtype=torch.uint8)
        size = (height, width)
        sample = DetDataSample(
            metainfo=dict(img_id=index, img_shape=size, ori_shape=size, scale_factor=(1.0, 1.0))
        )
        boxes = torch.tensor([[4.0, 6.0, 30.0, 40.0], [20.0, 10.0, 60.0, 50.0]])
        masks = torch.zeros(2, height, width, dtype=torch.uint8)
        masks[0, 6:40, 4:30] = masks[1, 10:50, 20:60] = 1
        sample.gt_instances = InstanceData(
            bboxes=boxes, labels=torch.tensor([0, 2]), masks=BitmapMasks(masks.numpy(), *size)
        )
        data["inputs"].append(image)
        data["data_samples"].append(sample)
    return data


@pytest.mark.parametrize("name", NAMES)
def test_same_predictions_and_losses(name: str) -> None:
    config = config_of(name)
    theirs, ours = with_mmdets_swin(config.model).eval(), build(config.model).eval()
    state = {"state_dict": theirs.state_dict(), "meta": {"dataset_meta": {"classes": CLASSES}}}
    report = load_checkpoint(ours, state, classes=CLASSES)
    assert report.layouts == {"backbone": "mmdet"} and not report.missing
    assert not report.carried_classes

    with torch.no_grad():
        for expected, found in zip(theirs.test_step(batch()), ours.test_step(batch()), strict=True):
            expected, found = expected.pred_instances, found.pred_instances
            assert len(found) == 8 and found.scores.std() > 0
            torch.testing.assert_close(found.scores, expected.scores, rtol=0, atol=1e-4)
            torch.testing.assert_close(found.bboxes, expected.bboxes, rtol=0, atol=1e-2)
            assert torch.equal(found.labels, expected.labels)
            if name == "tiny_mask2former":
                assert (found.masks != expected.masks).float().mean() < 1e-3

    losses = []
    for model in (theirs, ours):
        torch.manual_seed(0)  # of the points at which masks are compared, and of DINO's noise
        inputs = model.train().data_preprocessor(batch(), training=True)
        losses.append(model.parse_losses(model(**inputs, mode="loss"))[1])
    assert losses[0].keys() == losses[1].keys() and len(losses[0]) > 6
    for key, value in losses[0].items():
        torch.testing.assert_close(losses[1][key], value, rtol=1e-3, atol=1e-4, msg=key)


@pytest.mark.parametrize("name", NAMES)
def test_class_rows_follow_names(name: str) -> None:
    """Also under the older name of classes in mmdet's files, and in another order."""
    config = config_of(name)
    theirs, ours = build(config.model), build(config.model)
    state = {"state_dict": theirs.state_dict(), "meta": {"CLASSES": CLASSES}}
    report = load_checkpoint(ours, state, classes=("cat", "ant", "emu"), new_classes=True)
    assert report.carried_classes == ["cat", "ant"] and report.fresh_classes == ["emu"]
    old, new = theirs.state_dict(), ours.state_dict()
    entries = {
        "tiny_deformable_detr": [f"bbox_head.cls_branches.{i}" for i in range(3)],
        "tiny_dino": [
            *(f"bbox_head.cls_branches.{i}" for i in range(3)),
            "dn_query_generator.label_embedding",
        ],
        "tiny_mask2former": ["panoptic_head.cls_embed"],
    }[name]
    for key in entries:
        before, after = old[f"{key}.weight"], new[f"{key}.weight"]
        assert torch.equal(after[:2], before[[2, 0]])
        assert not torch.equal(after[2], before[1])
        assert torch.equal(after[3:], before[3:])
