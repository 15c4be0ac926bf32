"""PVT, version 2, against the golden numbers of four code bases; see also test_pvt_versions."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.reference.fixtures import Fixture
from vitdet.backbones import PyramidVisionTransformerV2
from vitdet.checkpoints import load_checkpoint
from vitdet.errors import UserError

TINY = dict(embed_dims=(8, 16), depths=(1, 2), num_heads=(1, 2), mlp_ratios=(2, 2))
TINY |= dict(sr_ratios=(4, 1), out_indices=(0, 1), drop_path_rate=0.0)
# Millions, with the classifier: the authors' repository, README; the paper's table 2 has 3.4 and
# 13.1 for the first two, which do not count its head.
PUBLISHED_PARAMETERS = {
    "b0": 3.7,
    "b1": 14.0,
    "b2_linear": 22.6,
    "b2": 25.4,
    "b3": 45.2,
    "b4": 62.6,
    "b5": 82.0,
}
STAGE_NAMES = {
    "pvt_v2_b0_det_official": "stage{}",
    "pvt_v2_b2_li_det_official": "stage{}",
    "pvt_v2_b0_mmdet": "stage{}",
    "pvt_v2_b0_timm": "intermediate_{}",
    "pvt_v2_b0_hf": "hidden_state_{}",
}


def built_for(fixture: Fixture) -> PyramidVisionTransformerV2:
    model = PyramidVisionTransformerV2("b2_linear" if "li_" in fixture.name else "b0").eval()
    report = load_checkpoint(model, fixture.state_dict())
    assert not report.missing and not report.resized
    return model


@pytest.mark.parametrize(("name", "stage_name"), STAGE_NAMES.items())
@torch.no_grad()
def test_stage_maps_agree_with_reference(name: str, stage_name: str) -> None:
    fixture = Fixture(name)
    model = built_for(fixture)
    first = 0 if name.endswith("hf") else 1
    before_norms = []
    for stage in model.stages:
        stage.norm.register_forward_hook(lambda _, inputs, output: before_norms.append(inputs[0]))
    for size, images in fixture.inputs().items():
        before_norms.clear()
        for index, feature_map in enumerate(model(images), start=first):
            fixture.assert_close(f"{size}.{stage_name.format(index)}", feature_map)
        if f"{size}.stage1_before_norm" in fixture.outputs():
            for index, tokens in enumerate(before_norms, start=1):
                fixture.assert_close(f"{size}.stage{index}_before_norm", tokens.permute(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("pvt_v2_b0_cls_official", "head"),
        ("pvt_v2_b0_timm", "head"),
        ("pvt_v2_b0_hf", "classifier"),
    ],
)
@torch.no_grad()
def test_classifiers_agree_with_reference(name: str, head: str) -> None:
    fixture = Fixture(name)
    state = fixture.state_dict()
    model = built_for(fixture)
    for size, images in fixture.inputs().items():
        features = model.forward_tokens(images).mean(1)
        if f"{size}.features" in fixture.outputs():
            fixture.assert_close(f"{size}.features", features)
        logits = F.linear(features, state[f"{head}.weight"], state[f"{head}.bias"])
        fixture.assert_close(f"{size}.logits", logits)


@pytest.mark.parametrize(("arch", "millions"), PUBLISHED_PARAMETERS.items())
def test_classifiers_have_the_published_number_of_parameters(arch: str, millions: float) -> None:
    with torch.device("meta"):
        model = PyramidVisionTransformerV2(arch)
    count = sum(p.numel() for p in model.parameters()) + 1000 * (model.num_features + 1)
    assert abs(count / 1e6 - millions) <= 0.05


@pytest.mark.parametrize("is_linear", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (33, 131), (64, 65), (30, 7)])
def test_any_size_gives_maps_of_rounded_up_size(size: tuple[int, int], is_linear: bool) -> None:
    model = PyramidVisionTransformerV2(**TINY, linear_attention=is_linear)
    maps = model(torch.randn(2, 3, *size))
    for feature_map, channels, stride in zip(maps, model.out_channels, model.strides, strict=True):
        assert feature_map.shape == (2, channels, *(-(-side // stride) for side in size))
        assert feature_map.isfinite().all()


def test_tokens_are_those_of_the_last_map() -> None:
    model = PyramidVisionTransformerV2(**TINY, final_norm=True).eval()
    images = torch.randn(2, 3, 17, 24)
    last_map = model(images)[-1]
    assert torch.equal(model.forward_tokens(images), last_map.flatten(2).transpose(1, 2))


def test_init_weights_follows_the_authors() -> None:
    model = PyramidVisionTransformerV2(**TINY | {"embed_dims": (32, 64)})
    model.init_weights()
    for module in model.modules():
        if isinstance(module, nn.Linear):
            assert 0.015 < module.weight.std() < 0.025 and not module.bias.any()
        if isinstance(module, nn.Conv2d):
            fan_out = module.weight[:, 0].numel() / module.groups
            assert 0.9 < module.weight.std() / (2 / fan_out) ** 0.5 < 1.1
            assert not module.bias.any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arch": "b2_lin"}, "arch 'b2_lin' is none of b0, .*; did you mean b2_linear"),
        ({"depths": (2, 2)}, "4 embed_dims, 2 depths, 4 num_heads"),
        ({"out_indices": (4,)}, r"out_indices \(4,\).*there are 4"),
        ({"num_heads": (1, 2, 5, 7)}, "512 channels do not divide among 7 heads"),
    ],
)
def test_bad_arguments_are_named(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        PyramidVisionTransformerV2(**options)
