"""Our UperNet config around our Swin gives the numbers of mmseg's and of Swin's authors' own."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import nn

from tests.reference.fixtures import Fixture
from vitdet.checkpoints import load_checkpoint
from vitdet.engine.config_file import read_config
from vitdet.engine.config_model import set_in_channels, set_num_classes

FIXTURES = ["upernet_small_mmseg", "upernet_swin_t_mmseg", "upernet_swin_t_official"]
UPERNET = Path(__file__).parents[2] / "configs/_base_/models/upernet.py"


def build_upernet(fixture: Fixture) -> nn.Module:
    """Our config with the fixture's sizes."""
    config, theirs = read_config(UPERNET), fixture.args["backbone"]
    config["default_scope"] = "mmseg"
    config["model"]["backbone"] = dict(
        type="vitdet.SwinTransformer",
        embed_dims=theirs.get("embed_dims", theirs.get("embed_dim")),
        **{key: theirs[key] for key in ("depths", "num_heads", "window_size")},
    )
    config["model"]["decode_head"].update(channels=fixture.args["channels"])
    config["model"]["auxiliary_head"].update(channels=fixture.args["aux_channels"])
    set_num_classes(config, fixture.args["num_classes"], override=False)
    set_in_channels(config)
    with DefaultScope.overwrite_default_scope("mmseg"):
        return MODELS.build(config["model"]).eval()


@pytest.fixture(scope="module", params=FIXTURES)
def loaded(request: pytest.FixtureRequest) -> tuple[Fixture, nn.Module]:
    fixture = Fixture(request.param)
    model = build_upernet(fixture)
    report = load_checkpoint(model, {"state_dict": fixture.state_dict(), "meta": {}})
    layout = {"mmseg": "mmdet"}.get(
        fixture.meta["layout"], fixture.meta["layout"]
    )  # one and the same
    assert not report.missing and report.layouts == {"backbone": layout}
    return fixture, model


@torch.no_grad()
def test_logits_and_classes(loaded: tuple[Fixture, nn.Module]) -> None:
    fixture, model = loaded
    for name, images in fixture.inputs().items():
        maps = model.extract_feat(images)
        fixture.assert_close(f"{name}.psp", model.decode_head.psp_forward(list(maps)))
        fixture.assert_close(f"{name}.logits", model.decode_head(maps))
        fixture.assert_close(f"{name}.aux_logits", model.auxiliary_head(maps))
        meta = dict(ori_shape=images.shape[2:], img_shape=images.shape[2:])
        samples = [SegDataSample(metainfo=meta) for _ in images]
        found = model.predict(images, samples)
        logits = torch.stack([sample.seg_logits.data for sample in found])
        fixture.assert_close(f"{name}.logits_at_image_size", logits)
        labels = torch.cat([sample.pred_sem_seg.data for sample in found])
        assert np.array_equal(labels.numpy(), fixture.values[f"{name}.argmax"])


@torch.no_grad()
def test_losses(loaded: tuple[Fixture, nn.Module]) -> None:
    fixture, model = loaded
    for name, images in fixture.inputs().items():
        labels = torch.from_numpy(fixture.values[f"{name}.labels"])
        samples = [SegDataSample(gt_sem_seg=PixelData(data=one[None].long())) for one in labels]
        losses = model.loss(images, samples)
        assert len(losses) == 4
        for key, value in losses.items():
            fixture.assert_close(f"{name}.loss.{key}", value.reshape(()))
