"""Models of timm as backbones: the same maps as timm's own, at any size they can take."""

import copy
import pickle
import sys

import pytest
import torch

from vitdet.backbones import TimmBackbone
from vitdet.checkpoints import load_checkpoint
from vitdet.classification import ImageClassifier
from vitdet.errors import UserError

timm = pytest.importorskip("timm")
pytestmark = pytest.mark.peer

SMALL = {  # name -> (channels of its last maps, what sides are padded to)
    "resnet10t": ((64, 128, 256, 512), 1),
    "convnext_atto": ((40, 80, 160, 320), 32),
    "regnety_002": ((24, 56, 152, 368), 1),
    "efficientnet_b0": ((24, 40, 112, 320), 1),
    "swin_tiny_patch4_window7_224": ((96, 192, 384, 768), 32),
    "vit_tiny_patch16_224": ((192,) * 4, 16),
    "maxvit_rmlp_pico_rw_256": ((32, 64, 128, 256), 256),
}


@pytest.fixture(scope="module")
def resnet() -> TimmBackbone:
    torch.manual_seed(0)
    return TimmBackbone("resnet10t").eval()


@pytest.mark.parametrize("name", SMALL)
def test_channels_strides_and_padding_are_found_out(name: str) -> None:
    with torch.device("meta"):
        model = TimmBackbone(name).eval()
        maps = model(torch.empty(2, 3, 75, 101))
    channels, divisor = SMALL[name]
    assert (model.out_channels, model._divisor) == (channels, divisor)
    assert model.num_features == channels[-1] and model.num_class_tokens == 0
    for feature_map, depth, stride in zip(maps, channels, model.strides, strict=True):
        assert feature_map.shape == (2, depth, -(-75 // stride), -(-101 // stride))


@pytest.mark.parametrize("name", ["resnet10t", "convnext_atto", "swin_tiny_patch4_window7_224"])
@torch.no_grad()
def test_maps_are_timms_own_and_its_files_load(name: str) -> None:
    peer = timm.create_model(name).eval()
    features = timm.create_model(
        name,
        features_only=True,
        out_indices=(-4, -3, -2, -1),
        **({"strict_img_size": False} if "swin" in name else {}),
    ).eval()
    model = TimmBackbone(name).eval()
    report = load_checkpoint(model, peer.state_dict())
    assert set(report.loaded) == set(model.state_dict()) and report.layouts == {"": "timm"}
    assert all(key.startswith(("fc.", "head.", "norm.")) for key in report.ignored)
    renamed = TimmBackbone(name).eval()
    features.load_state_dict(
        {key.removeprefix("net."): value for key, value in model.state_dict().items()}
    )
    load_checkpoint(renamed, features.state_dict())
    images = torch.randn(1, 3, 64, 96)
    expected = features(images)
    for run in (model, renamed):
        for ours, theirs in zip(run(images), expected, strict=True):
            theirs = theirs.permute(0, 3, 1, 2) if "swin" in name else theirs
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_own_layout_and_init_cfg(resnet: TimmBackbone, tmp_path) -> None:
    state = {f"backbone.{key}": value for key, value in resnet.state_dict().items()}
    torch.save({"state_dict": state | {"neck.weight": torch.ones(1)}}, tmp_path / "last.pth")
    init_cfg = dict(type="Pretrained", checkpoint=str(tmp_path / "last.pth"))
    model = TimmBackbone("resnet10t", init_cfg=init_cfg)
    model.init_weights()
    for key, value in model.state_dict().items():
        assert torch.equal(value, resnet.state_dict()[key])


def test_files_of_other_models_are_refused_and_change_nothing(resnet: TimmBackbone) -> None:
    before = copy.deepcopy(resnet.state_dict())
    with torch.device("meta"):
        larger = timm.create_model("resnet18").state_dict()
        other = timm.create_model("vit_tiny_patch16_224").state_dict()
    for state in (larger, other):
        with pytest.raises(UserError, match=r"missing|layouts|the model is a"):
            load_checkpoint(resnet, state)
    for key, value in resnet.state_dict().items():
        assert torch.equal(value, before[key])


def test_initialization_is_timms(resnet: TimmBackbone) -> None:
    model = copy.deepcopy(resnet)
    model.init_weights()
    for key, value in model.state_dict().items():
        assert torch.equal(value, resnet.state_dict()[key])


def test_frozen_stages_stay_frozen() -> None:
    model = TimmBackbone("resnet10t", frozen_stages=1, norm_eval=True).train()
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained and all(name.startswith(("net.layer2", "net.layer3", "net.layer4"))
                           for name in trained)  # fmt: skip
    assert not model.net.layer1[0].training and model.net.layer2.training
    assert not model.net.layer2[0].bn1.training
    sum(m.sum() for m in model(torch.randn(1, 3, 64, 64))).backward()
    assert {name for name, p in model.named_parameters() if p.grad is not None} == trained
    stem = TimmBackbone("resnet10t", frozen_stages=0)
    assert all(p.requires_grad for p in stem.net.layer1.parameters())
    assert not any(p.requires_grad for p in stem.net.conv1.parameters())


def test_frozen_blocks_of_a_plain_transformer() -> None:
    with torch.device("meta"):
        model = TimmBackbone("vit_tiny_patch16_224", frozen_stages=11)
    trained = {name.split(".")[3] for name, p in model.named_parameters() if p.requires_grad}
    assert trained == {"11"}


def test_checkpointing_gives_equal_gradients() -> None:
    plain = TimmBackbone("convnext_atto")
    checkpointed = TimmBackbone("convnext_atto", with_checkpoint=True)
    checkpointed.load_state_dict(plain.state_dict())
    images = torch.randn(1, 3, 32, 64)
    for model in (plain, checkpointed):
        sum(feature_map.square().mean() for feature_map in model(images)).backward()
    for ours, theirs in zip(plain.parameters(), checkpointed.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_compile_pickle_batch_and_tokens(resnet: TimmBackbone) -> None:
    images = torch.randn(2, 3, 45, 61)
    with torch.no_grad():
        expected = resnet(images)
        compiled = torch.compile(resnet, fullgraph=True, backend="eager")(images)
        for run in (compiled, pickle.loads(pickle.dumps(resnet))(images)):
            for ours, theirs in zip(run, expected, strict=True):
                torch.testing.assert_close(ours, theirs)
        alone = resnet(images[1:])
        torch.testing.assert_close(alone[3][0], expected[3][1], rtol=1e-4, atol=1e-4)
        tokens = resnet.forward_tokens(images)
    torch.testing.assert_close(tokens.mean(1), expected[3].mean((2, 3)))
    assert ImageClassifier(resnet, 5)(images).shape == (2, 5)


def test_any_levels() -> None:
    with torch.device("meta"):
        model = TimmBackbone("resnet10t", out_indices=(0, 2), drop_path_rate=0.1)
    assert (model.out_channels, model.strides) == ((64, 128), (2, 8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(name="resnet5O"), "did you mean resnet50"),
        (dict(name="resnet10t", out_indices=(7,)), r"\(7,\) are not levels .* 4: 32"),
        (dict(name="resnet10t", frozen_stages=5), "frozen_stages=5, but resnet10t has 4 levels"),
        (dict(name="resnet10t", img_size=64), "img_size"),
        (dict(name="inception_v4", drop_path_rate=0.5), "drop_path_rate"),
    ],
)
def test_mistakes_are_named(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message), torch.device("meta"):
        TimmBackbone(**options)


def test_models_of_one_size_say_so() -> None:
    with torch.device("meta"):
        model = TimmBackbone("mixer_s32_224")
        assert model(torch.empty(1, 3, 224, 224))[0].shape == (1, 512, 7, 7)
        with pytest.raises(UserError, match=r"224x224 only, not 64x96; .*img_size=\(64, 96\)"):
            model(torch.empty(1, 3, 64, 96))
        resized = TimmBackbone("mixer_s32_224", img_size=(64, 96))
        assert resized(torch.empty(1, 3, 64, 96))[0].shape == (1, 512, 2, 3)


def test_without_timm_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UserError, match=r"pip install 'vitdet\[timm\]'"):
        TimmBackbone("resnet50")
