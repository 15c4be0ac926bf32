"""`--backbone NAME`: any backbone in any config, channels following."""

import copy
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from mmengine import registry as root
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from tests.engine.conftest import TINY
from vitdet import backbones
from vitdet.backbones import SwinTransformer
from vitdet.backbones.backbone import Backbone
from vitdet.engine import load_config
from vitdet.engine.backbone_names import FAMILIES, NamedFamily, backbone_names, resolve_backbone
from vitdet.engine.config_backbone import swap_backbone
from vitdet.engine.config_file import read_config
from vitdet.engine.config_model import set_in_channels, set_num_classes
from vitdet.errors import UserError
from vitdet.registry import MODELS


class PlainArch(NamedTuple):
    embed_dims: int


# Of the backbones below, found as those of real ones are.
ARCHS = {"s": PlainArch(8), "b": PlainArch(16), "b_linear": PlainArch(16)}


class Plain(Backbone):
    """One map of stride 16, as a ViT under a simple feature pyramid."""

    strides = (16,)

    def __init__(self, arch: str = "s", *, drop_path_rate: float = 0.1, init_cfg=None) -> None:
        super().__init__(init_cfg)
        self.out_channels = (ARCHS[arch].embed_dims,)
        self.rate = drop_path_rate
        self.proj = nn.Conv2d(3, ARCHS[arch].embed_dims, 16, stride=16)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return (self.proj(images),)


@pytest.fixture
def families(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more family, of one map."""
    monkeypatch.setattr(backbones, "Plain", Plain, raising=False)
    monkeypatch.setitem(FAMILIES, "plain", NamedFamily("Plain", "s", {"small": "http://x/s.pth"}))
    monkeypatch.setitem(MODELS.module_dict, "Plain", Plain)


@pytest.mark.parametrize("name", ["swin", "swin-tiny", "swin-t", "Swin_Tiny"])
def test_a_size_may_be_left_out_or_shortened(name: str) -> None:
    found = resolve_backbone(name)
    assert (found.cls, found.arguments) == ("SwinTransformer", {"arch": "tiny"})
    assert found.weights.endswith("swin_tiny_patch4_window7_224.pth")


def test_sizes_are_those_of_the_class(families: None) -> None:
    assert resolve_backbone("plain-b").arguments == {"arch": "b"}
    assert resolve_backbone("plain-b-linear").arguments == {"arch": "b_linear"}
    assert resolve_backbone("plain").weights == "http://x/s.pth"
    assert resolve_backbone("plain-b").weights is None
    assert {"swin", "swin-large", "plain-b-linear"} <= set(backbone_names())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("swim-small", "did you mean swin-small"),
        ("swin-huge", "did you mean swin"),
        ("xyz", "known: .*swin-tiny"),
    ],
)
def test_unknown_names_get_the_nearest(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        resolve_backbone(name)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_every_published_size_builds(name: str) -> None:
    for size in FAMILIES[name].weights:
        found = resolve_backbone(f"{name}-{size}")
        assert found.weights == FAMILIES[name].weights[size]
        with torch.device("meta"):
            getattr(backbones, found.cls)(**found.arguments)


@pytest.fixture(scope="module")
def configs() -> dict[str, Config]:
    names = ("swin_retinanet_coco", "vit_maskrcnn_coco", "pvt_classifier_imagenet")
    return {name: read_config(name) for name in names}


@pytest.mark.parametrize(
    "name",
    [
        # its LSTMs take half a minute on the meta device
        pytest.param(name, marks=pytest.mark.slow) if name == "sequencer" else name
        for name in [*sorted(FAMILIES), "timm:resnet18"]
    ],
)
def test_every_family_fits_every_config(name: str, configs: dict[str, Config]) -> None:
    if name.startswith("timm:"):
        pytest.importorskip("timm")
    for title, original in configs.items():
        config = copy.deepcopy(original)
        if "classifier" in title and name.startswith("timm:"):
            continue
        swap_backbone(config, name)
        set_num_classes(config, 3, override=True)
        set_in_channels(config)
        with torch.device("meta"), DefaultScope.overwrite_default_scope("mmdet"):
            model = root.MODELS.build(config.model).eval()
            images = torch.empty(1, 3, 96, 128)
        if "classifier" in title:
            assert model.backbone.out_channels == ()
            assert model.backbone.forward_tokens(images).shape[-1] == model.head.in_features
            continue
        sizes = [tuple(level.shape[2:]) for level in model.neck(model.backbone(images))]
        first = {"swin_retinanet_coco": (12, 16)}.get(title, (24, 32))
        assert sizes[0] == first and len(sizes) == 5


def test_channels_weights_and_recipe_follow(data: Path, families: None) -> None:
    config = load_config("swin_maskrcnn_coco", data=data, backbone="swin-base")
    backbone = config.model.backbone
    assert config.model.neck.in_channels == [128, 256, 512, 1024]
    assert backbone.init_cfg.checkpoint.endswith("swin_base_patch4_window7_224.pth")
    assert backbone.drop_path_rate == 0.2

    config = load_config("swin_maskrcnn_coco", data=data, backbone="plain-b")
    assert "init_cfg" not in config.model.backbone
    assert config.model.neck.in_channels == [16]


def test_options_come_after_the_exchange(data: Path) -> None:
    options = {"backbone": "swin-small", "model.backbone.window_size": 8}
    config = load_config(TINY, data=data, options=options)
    assert config.model.backbone.arch == "small" and config.model.backbone.window_size == 8
    assert "embed_dims" not in config.model.backbone and "depths" not in config.model.backbone
    assert "backbone" not in config


def test_a_config_may_name_its_backbone(tmp_path: Path, data: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(
        "from mmengine.config import read_base\n"
        "with read_base():\n    from vitdet.configs.swin_maskrcnn_coco import *\n"
        "backbone = 'swin-small'\n"
    )
    config = load_config(mine, data=data)
    assert config.model.backbone.arch == "small"
    config.dump(tmp_path / "saved.py")
    assert load_config(tmp_path / "saved.py").to_dict() == config.to_dict()
    assert load_config(mine, data=data, backbone="swin-base").model.backbone.arch == "base"


def retinanet(neck: dict, **backbone: object) -> Config:
    model = dict(type="mmdet.RetinaNet", backbone=backbone, neck=neck)
    return Config(dict(model=model, default_scope="mmdet"))


def test_maps_keep_their_strides() -> None:
    """RetinaNet leaves the finest map out, and counts on it."""
    resnet = dict(type="ResNet", depth=18, out_indices=(1, 2, 3), frozen_stages=1)
    config = retinanet(dict(type="FPN", in_channels=[1], out_channels=8, num_outs=5), **resnet)
    swap_backbone(config, "swin")
    set_in_channels(config)
    assert config.model.backbone.out_indices == (1, 2, 3)
    assert config.model.backbone.frozen_stages == 1
    assert config.model.neck.in_channels == [192, 384, 768]


def test_the_neck_is_exchanged_where_it_must_be(families: None) -> None:
    config = retinanet(dict(type="FPN", out_channels=8, num_outs=5), type="vitdet.SwinTransformer")
    swap_backbone(config, "plain")
    assert config.model.neck == dict(type="vitdet.SimpleFeaturePyramid", out_channels=8, num_outs=5)
    set_in_channels(config)
    swap_backbone(config, "swin")
    assert config.model.neck == dict(type="mmdet.FPN", out_channels=8, num_outs=5)


def test_heads_of_semantic_segmentation_follow(families: None) -> None:
    resnet = dict(type="ResNetV1c", depth=18)
    head = dict(type="UPerHead", in_channels=[64, 128, 256, 512], in_index=[0, 1, 2, 3])
    auxiliary = dict(type="FCNHead", in_channels=256, in_index=2)
    model = dict(type="EncoderDecoder", backbone=resnet, decode_head=head, auxiliary_head=auxiliary)
    config = Config(dict(model=model, default_scope="mmseg"))
    swap_backbone(config, "swin-small")
    set_in_channels(config)
    assert config.model.decode_head.in_channels == [96, 192, 384, 768]
    assert config.model.auxiliary_head.in_channels == 384


def test_nothing_to_exchange() -> None:
    with pytest.raises(UserError, match="no backbone"):
        swap_backbone(Config(dict(model=dict(type="X"), default_scope="mmdet")), "swin")


def test_swin_itself_is_not_changed() -> None:
    """The table names what the class publishes."""
    with torch.device("meta"):
        assert SwinTransformer(**resolve_backbone("swin-large").arguments).num_features == 1536
