"""Each shipped recipe loads on a small data set, trains a step and predicts, at small widths."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS, DefaultScope

from tests.small_recipes import small_model
from vitdet.engine import load_config

NAMES = ["swin_retinanet_coco", "swin_cascade_maskrcnn_coco_3x", "swin_htc_coco"]


def batch(config: Config, part: str) -> dict[str, list]:
    """One image through the recipe's own pipeline, at a size that takes no time."""
    dataset = config[f"{part}_dataloader"].dataset
    shrink(dataset.pipeline)
    with DefaultScope.overwrite_default_scope("mmdet"):
        item = DATASETS.build(dataset)[0]
    return {key: [item[key]] for key in ("inputs", "data_samples")}


def shrink(node: Any) -> None:
    if isinstance(node, dict):
        if "scale" in node:
            node["scale"] = (96, 64) if not isinstance(node["scale"], list) else [(96, 64)] * 2
        if "scales" in node:
            node["scales"] = [(64, 96)]
        if "crop_size" in node:
            node["crop_size"] = (32, 48)
        for key in node:
            shrink(node[key])
    elif isinstance(node, list | tuple):
        for item in node:
            shrink(item)


@pytest.mark.parametrize("name", NAMES)
def test_recipe_trains_and_predicts(name: str, data: Path, classes: tuple[str, ...]) -> None:
    config = load_config(name, data=data)
    assert "published" not in config
    with torch.device("meta"), DefaultScope.overwrite_default_scope("mmdet"):
        MODELS.build(config.model)  # as published
    model = small_model(config)
    inputs = model.data_preprocessor(batch(config, "train"), training=True)
    losses = model(**inputs, mode="loss")
    total, _ = model.parse_losses(losses)
    total.backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), key
    model.eval()
    with torch.no_grad():
        (result,) = model.test_step(batch(config, "test"))
    found = result.pred_instances
    assert len(found) and found.scores.isfinite().all() and found.labels.max() < len(classes)
    assert ("masks" in found) == (name != "swin_retinanet_coco")


@pytest.mark.parametrize("size", ["small", "base"])
def test_larger_cascades(size: str, data: Path) -> None:
    config = load_config(f"swin_{size}_cascade_maskrcnn_coco_3x", data=data)
    assert config.model.backbone.arch == size
    assert config.model.neck.in_channels[0] == {"small": 96, "base": 128}[size]
    heads = config.model.roi_head.bbox_head
    assert [head.loss_bbox.loss_weight for head in heads] == [10.0] * 3
