"""The shipped configs of DETR build what was published, and their data pipelines run."""

import copy
from pathlib import Path

import pytest
import torch
from mmengine.registry import DATASETS, MODELS, DefaultScope

from tests.engine.conftest import data  # noqa: F401  fixture
from vitdet.engine import load_config

# Entries of the authors' file with its 91 classes, frozen norms among them; arXiv:2005.12872, table
# 1, has 41 M parameters for both.
ENTRIES = {"detr_coco": 41_631_008, "detr_dc5_coco": 41_631_008}


@pytest.mark.parametrize(
    "name", ["detr_coco", "detr_dc5_coco", "swin_detr_coco", "pvt_detr_coco", "detr_shapes"]
)
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


def test_augmented_training_images(data: Path) -> None:  # noqa: F811
    config = load_config("detr_coco", data=data)
    with DefaultScope.overwrite_default_scope("mmdet"):
        dataset = DATASETS.build(config.train_dataloader.dataset)
    for index in range(4):
        item = dataset[index]
        height, width = item["inputs"].shape[1:]
        assert 480 <= min(height, width) <= 800 and max(height, width) <= 1333
        assert item["data_samples"].img_shape == (height, width)
