"""The shipped configs of DETR and YOLOS build what was published, and their data pipelines run."""

import copy
from pathlib import Path

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATASETS, MODELS, DefaultScope

from tests.engine.conftest import data  # noqa: F401  fixture
from vitdet.engine import load_config

# Entries of the authors' file with its 91 classes, frozen norms among them; arXiv:2005.12872, table
# 1, has 41 M parameters for both of DETR's; those of YOLOS are the fixtures'.
ENTRIES = {
    "detr_coco": 41_631_008,
    "detr_dc5_coco": 41_631_008,
    "yolos_tiny_coco": 6_488_736,
    "yolos_small_coco": 30_684_768,
    "yolos_base_coco": 127_798_368,
}
NAMES = [
    *(*ENTRIES, "swin_detr_coco", "pvt_detr_coco"),
    *("detr_shapes", "yolos_shapes", "detr_photos", "yolos_photos"),
]


@pytest.mark.parametrize("name", NAMES)
def test_configs_build(name: str, data: Path) -> None:  # noqa: F811
    config = load_config(name, data=data)
    assert config.model.num_classes == 6
    node = copy.deepcopy(config.model)
    if name in ENTRIES:
        node.num_classes = 91
    with torch.device("meta"), DefaultScope.overwrite_default_scope("mmdet"):
        model = MODELS.build(node)
    if name in ENTRIES:
        assert sum(entry.numel() for entry in model.state_dict().values()) == ENTRIES[name]


# Shorter sides, and the longest of the others.
SIDES = {
    "detr_coco": (480, 800, 1333),
    "yolos_small_coco": (480, 800, 1333),
    "yolos_tiny_coco": (256, 608, 1013),
}


@pytest.mark.parametrize("name", SIDES)
def test_augmented_training_images(
    name: str,
    data: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vitdet.engine.config.images_made_for", lambda config: None)
    shortest, longest, limit = SIDES[name]
    config = load_config(name, data=data)
    with DefaultScope.overwrite_default_scope("mmdet"):
        dataset = DATASETS.build(config.train_dataloader.dataset)
    for index in range(4):
        item = dataset[index]
        height, width = item["inputs"].shape[1:]
        assert shortest <= min(height, width) <= longest and max(height, width) <= limit
        assert item["data_samples"].img_shape == (height, width)


def test_yolos_decays_neither_tokens_nor_first_positions(data: Path) -> None:  # noqa: F811
    config = load_config("yolos_small_coco", data=data)
    with torch.device("meta"), DefaultScope.overwrite_default_scope("mmdet"):
        model = MODELS.build(config.model)
    optimizer = build_optim_wrapper(model, config.optim_wrapper).optimizer
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    free = {
        names[id(parameter)]
        for group in optimizer.param_groups
        for parameter in group["params"]
        if group["weight_decay"] == 0
    }
    tokens = {"det_token", "det_pos_embed"}
    tokens |= {f"backbone.{name}" for name in ("cls_token", "pos_embed", "token_pos_embed")}
    matrices = {n for n, p in model.named_parameters() if p.ndim > 1}
    assert free & matrices == tokens
