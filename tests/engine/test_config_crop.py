"""Sizes that follow from the training crop."""

import pytest
import torch
from mmengine.config import Config
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from vitdet.engine.config import load_model_config
from vitdet.engine.config_crop import set_crop_size
from vitdet.errors import UserError
from vitdet.registry import MODELS


def config(**test_cfg: object) -> Config:
    loaded = load_model_config("swin_upernet_ade20k", num_classes=3)
    loaded["model"]["test_cfg"].update({"mode": "slide", **test_cfg})
    return loaded


def test_windows_follow_the_crop_or_stay_as_stated() -> None:
    whole = load_model_config("swin_large_upernet_ade20k", num_classes=3)
    assert whole["model"]["data_preprocessor"]["size"] == (640, 640)
    assert whole["model"]["test_cfg"] == dict(mode="whole", crop_size=None, stride=None)
    slide = config()
    set_crop_size(slide)
    assert slide["model"]["test_cfg"] == dict(mode="slide", crop_size=(512, 512), stride=(341, 341))
    stated = config(crop_size=(256, 300), stride=200)
    set_crop_size(stated)
    assert stated["model"]["test_cfg"]["crop_size"] == (256, 300)
    assert stated["model"]["test_cfg"]["stride"] == (200, 200)


def test_a_size_that_is_stated_stays() -> None:
    stated = config()
    stated["model"]["data_preprocessor"].update(size=(64, 64))
    set_crop_size(stated)
    assert stated["model"]["data_preprocessor"]["size"] == (64, 64)


def test_without_a_crop_images_are_padded_to_the_largest_of_their_batch() -> None:
    without = config(mode="whole")
    without["model"]["data_preprocessor"].pop("size")
    pipeline = without["train_dataloader"]["dataset"]["pipeline"]
    without["train_dataloader"]["dataset"]["pipeline"] = [
        step for step in pipeline if "crop_size" not in step
    ]
    set_crop_size(without)
    preprocessor = MODELS.build(without["model"]["data_preprocessor"])
    samples = [
        SegDataSample(gt_sem_seg=PixelData(data=torch.ones(1, *s))) for s in ((4, 6), (5, 3))
    ]
    images = [torch.zeros(3, *sample.gt_sem_seg.shape) for sample in samples]
    batch = preprocessor(dict(inputs=images, data_samples=samples), training=True)
    assert batch["inputs"].shape == (2, 3, 5, 6)
    padded = [sample.gt_sem_seg.data for sample in batch["data_samples"]]
    assert [int((labels == 255).sum()) for labels in padded] == [6, 15]


def test_windows_that_cannot_be() -> None:
    with pytest.raises(UserError, match="leaves gaps between windows of"):
        set_crop_size(config(stride=(600, 300)))
    with pytest.raises(UserError, match="mode is 'sliding'; it can be whole or slide"):
        set_crop_size(config(mode="sliding"))
    without = config()
    without.pop("train_dataloader")
    with pytest.raises(UserError, match=r"needs model\.test_cfg\.crop_size"):
        set_crop_size(without)
