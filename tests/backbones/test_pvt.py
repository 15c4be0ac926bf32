"""PVT, version 1, against the golden numbers of three code bases; see also test_pvt_versions."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.reference.fixtures import Fixture
from vitdet.backbones import PyramidVisionTransformer
from vitdet.checkpoints import load_checkpoint
from vitdet.errors import UserError

TINY = dict(embed_dims=(8, 16), depths=(1, 2), num_heads=(1, 2), mlp_ratios=(2, 2))
TINY |= dict(sr_ratios=(4, 1), out_indices=(0, 1), pretrain_img_size=32, drop_path_rate=0.0)
# Millions: the authors' repository, README; the paper's table 2 has the same.
PUBLISHED_PARAMETERS = {"tiny": 13.2, "small": 24.5, "medium": 44.2, "large": 61.4}


def built_for(fixture: Fixture, **options: object) -> PyramidVisionTransformer:
    args = fixture.args
    published = {
        ours: args[theirs]
        for theirs, ours in (
            ("embed_dims", "embed_dims"),
            ("depths", "depths"),
            ("num_layers", "depths"),
            ("img_size", "pretrain_img_size"),
        )
        if theirs in args
    }
    model = PyramidVisionTransformer("tiny", **published, **options).eval()
    report = load_checkpoint(model, fixture.state_dict())
    assert not report.missing and not report.resized
    return model


@pytest.mark.parametrize(
    "name", ["pvt_tiny_det_official", "pvt_tiny_custom_det_official", "pvt_tiny_mmdet"]
)
@torch.no_grad()
def test_stage_maps_agree_with_reference(name: str) -> None:
    fixture = Fixture(name)
    model = built_for(fixture)
    for size, images in fixture.inputs().items():
        for index, feature_map in enumerate(model(images), start=1):
            fixture.assert_close(f"{size}.stage{index}", feature_map)


@torch.no_grad()
def test_classifier_agrees_with_reference() -> None:
    fixture = Fixture("pvt_tiny_cls_official")
    state = fixture.state_dict()
    model = built_for(fixture, final_norm=True)
    for size, images in fixture.inputs().items():
        features = model.forward_tokens(images)[:, 0]
        fixture.assert_close(f"{size}.features", features)
        logits = F.linear(features, state["head.weight"], state["head.bias"])
        fixture.assert_close(f"{size}.logits", logits)


@torch.no_grad()
def test_every_block_agrees_with_transformers() -> None:
    fixture = Fixture("pvt_tiny_hf")
    state = fixture.state_dict()
    model = built_for(fixture, final_norm=True)
    states = []
    for block in (block for stage in model.stages for block in stage.blocks):
        block.register_forward_hook(lambda _, inputs, output: states.append(output))
    states.append(model.forward_tokens(fixture.inputs()["224x224"]))
    for index, tokens in enumerate(states):
        tokens = tokens.flatten(1, 2) if tokens.ndim == 4 else tokens
        fixture.assert_close(f"224x224.hidden_state_{index}", tokens)
    logits = F.linear(states[-1][:, 0], state["classifier.weight"], state["classifier.bias"])
    fixture.assert_close("224x224.logits", logits)


@pytest.mark.parametrize(("arch", "millions"), PUBLISHED_PARAMETERS.items())
def test_classifiers_have_the_published_number_of_parameters(arch: str, millions: float) -> None:
    with torch.device("meta"):
        model = PyramidVisionTransformer(arch, final_norm=True)
    head = 1000 * (model.num_features + 1)
    count = sum(p.numel() for p in model.parameters()) + head
    assert abs(count / 1e6 - millions) <= 0.05


@pytest.mark.parametrize("size", [(1, 1), (33, 131), (64, 65), (30, 7)])
def test_sides_of_maps_are_rounded_down(size: tuple[int, int]) -> None:
    model = PyramidVisionTransformer(**TINY)
    maps = model(torch.randn(2, 3, *size))
    for feature_map, channels, stride in zip(maps, model.out_channels, model.strides, strict=True):
        assert feature_map.shape == (2, channels, *(max(side // stride, 1) for side in size))
        assert feature_map.isfinite().all()


def test_class_token_comes_first_and_is_in_no_map() -> None:
    model = PyramidVisionTransformer(**TINY, final_norm=True).eval()
    assert model.num_class_tokens == 1
    images = torch.randn(2, 3, 32, 48)  # with more than one reduced key
    tokens, last_map = model.forward_tokens(images), model(images)[-1]
    assert tokens.shape == (2, 1 + 4 * 6, 16) and last_map.shape == (2, 16, 4, 6)
    normed = model.norm(last_map.flatten(2).transpose(1, 2))
    torch.testing.assert_close(tokens[:, 1:], normed)
    tokens[:, 0].cos().sum().backward()  # squares of normed tokens have a constant sum
    assert all(p.grad is not None and p.grad.any() for p in model.parameters() if p.ndim > 1)


def test_detectors_have_no_class_token() -> None:
    model = PyramidVisionTransformer(**TINY)
    assert model.num_class_tokens == 0
    assert not [name for name in model.state_dict() if "cls" in name or name.startswith("norm")]


def test_positions_matter_at_every_size() -> None:
    model = PyramidVisionTransformer(**TINY).eval()
    for stage in model.stages:
        nn.init.normal_(stage.pos_embed)
    last = model(torch.ones(1, 3, 48, 16))[-1]
    assert (last[..., 0, 0] - last[..., -1, -1]).abs().max() > 0.1


def test_init_weights_follows_the_authors() -> None:
    model = PyramidVisionTransformer(**TINY | {"embed_dims": (32, 64)})
    model.init_weights()
    for name, parameter in model.named_parameters():
        if "embed" in name and parameter.ndim == 4 and "proj" not in name:
            assert 0.015 < parameter.std() < 0.025, name
    for module in model.modules():
        if isinstance(module, nn.Linear):
            assert 0.015 < module.weight.std() < 0.025 and not module.bias.any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arch": "smal"}, "arch 'smal' is none of tiny, .*; did you mean small"),
        ({"depths": (2, 2)}, "4 embed_dims, 2 depths, 4 num_heads"),
        ({"out_indices": (4,)}, r"out_indices \(4,\).*there are 4"),
        ({"num_heads": (1, 2, 5, 7)}, "512 channels do not divide among 7 heads"),
        ({"sr_ratios": (8, 4, 2, 2), "final_norm": True}, r"\(8, 4, 2, 2\).*end them in 1"),
        ({"pretrain_img_size": 16}, "pretrain_img_size 16 .* give 32 or more"),
    ],
)
def test_bad_arguments_are_named(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        PyramidVisionTransformer(**options)
