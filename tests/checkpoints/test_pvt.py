"""Published layouts of both versions of PVT: every entry finds its place, or all is refused."""

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from tests.reference.fixtures import FOLDER, Fixture
from vitdet.backbones import PyramidVisionTransformer, PyramidVisionTransformerV2
from vitdet.checkpoints import load_checkpoint
from vitdet.checkpoints.families import FAMILIES
from vitdet.errors import UserError

V1, V2 = PyramidVisionTransformer, PyramidVisionTransformerV2
# Fixture -> model, arch, layout.
LAYOUT_FIXTURES = {
    "pvt_small_cls_official_layout": (V1, "small", "official"),
    "pvt_medium_det_official_layout": (V1, "medium", "official"),
    "pvt_small_hf_layout": (V1, "small", "transformers"),
    "pvt_v2_b1_det_official_layout": (V2, "b1", "official"),
    "pvt_v2_b2_det_official_layout": (V2, "b2", "official"),
    "pvt_v2_b3_det_official_layout": (V2, "b3", "official"),
    "pvt_v2_b4_det_official_layout": (V2, "b4", "official"),
    "pvt_v2_b5_det_official_layout": (V2, "b5", "official"),
    "pvt_v2_b1_timm_layout": (V2, "b1", "timm"),
    "pvt_v2_b5_timm_layout": (V2, "b5", "timm"),
    "pvt_v2_b2_linear_hf_layout": (V2, "b2_linear", "transformers"),
}
TINY = dict(embed_dims=(8, 16), depths=(1, 2), num_heads=(1, 2), mlp_ratios=(2, 2))
TINY |= dict(sr_ratios=(4, 1), out_indices=(0, 1))


def state_of(name: str) -> dict[str, Tensor]:
    """On the meta device: only keys and shapes count."""
    entries = Fixture(name).meta["state_dict"]
    return {key: torch.empty(shape, device="meta") for key, shape, *_ in entries}


def built(model_class: type[nn.Module], arch: str, **options: object) -> nn.Module:
    with torch.device("meta"):
        return model_class(arch, **options)


@pytest.mark.parametrize(("name", "expected"), LAYOUT_FIXTURES.items())
def test_every_published_entry_finds_its_place(name: str, expected: tuple) -> None:
    model_class, arch, layout = expected
    is_classifier = model_class is V1 and "det" not in name
    model = built(model_class, arch, final_norm=is_classifier)
    report = load_checkpoint(model, state_of(name))
    assert report.layouts == {"": layout}
    assert set(report.loaded) == set(model.state_dict())
    assert not report.missing and not report.unexpected and not report.resized
    spare = {"head"} if is_classifier or "det" not in name else {"stages"}
    assert {key.split(".")[0] for key in report.ignored} <= spare


@pytest.mark.parametrize("name", ["pvt_tiny_cls_official", "pvt_tiny_hf"])
def test_detectors_leave_out_what_classifiers_add(name: str) -> None:
    model = built(V1, "tiny")
    report = load_checkpoint(model, state_of(name))
    assert set(report.loaded) == set(model.state_dict())
    assert sorted(report.ignored) == [
        *("head.bias", "head.weight", "norm.bias", "norm.weight"),
        *("stages.3.cls_pos_embed", "stages.3.cls_token"),
    ]


def test_a_detector_makes_no_classifier() -> None:
    model = built(V1, "tiny", final_norm=True)
    with pytest.raises(UserError, match=r"3 missing \(stages\.3\.cls_token, norm\.weight"):
        load_checkpoint(model, state_of("pvt_tiny_det_official"))


def test_positions_of_other_sizes_are_resized_and_reported() -> None:
    source = V1(**TINY, pretrain_img_size=32)
    for stage in source.stages:
        nn.init.constant_(stage.pos_embed, 2.0)
    model = V1(**TINY, pretrain_img_size=64)
    report = load_checkpoint(model, source.state_dict())
    assert report.resized == ["stages.0.pos_embed", "stages.1.pos_embed"]
    torch.testing.assert_close(model.stages[1].pos_embed, torch.full((1, 16, 8, 8), 2.0))


def test_own_layouts_round_trip() -> None:
    for model_class, options in ((V1, {}), (V1, {"final_norm": True}), (V2, {})):
        source, model = (model_class(**TINY, **options) for _ in range(2))
        report = load_checkpoint(model, source.state_dict())
        assert report.layouts == {"": "vitdet"}
        for key, value in model.state_dict().items():
            assert torch.equal(value, source.state_dict()[key])


@pytest.mark.peer
def test_timm_features_only_models_load() -> None:
    timm = pytest.importorskip("timm")
    peer = timm.create_model("pvt_v2_b0", features_only=True).eval()
    model = V2("b0").eval()
    assert load_checkpoint(model, peer.state_dict()).layouts == {"": "timm"}
    images = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        for ours, theirs in zip(model(images), peer(images), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("model_class", "arch", "name", "message"),
    [
        (V1, "tiny", "pvt_small_cls_official_layout", "unexpected.*arch it was trained with"),
        (V1, "tiny", "pvt_v2_b0_det_official", "is a PyramidVisionTransformerV2 checkpoint"),
        (V2, "b0", "pvt_tiny_det_official", "is a PyramidVisionTransformer checkpoint"),
        (V2, "b1", "pvt_v2_b0_det_official", r"of another shape.*\[32, 3, 7, 7\] in the file"),
        (V2, "b2", "pvt_v2_b2_linear_hf_layout", r"12 unexpected .*sr\.weight"),
        (V2, "b0", "swin_t_timm", "is a SwinTransformer checkpoint"),
    ],
)
def test_other_models_are_refused(
    model_class: type[nn.Module], arch: str, name: str, message: str
) -> None:
    model = model_class(arch)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(UserError, match=message):
        load_checkpoint(model, state_of(name))
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def recognising(state: Mapping[str, Tensor]) -> list[tuple[str, str]]:
    return [
        (model_class.__name__, layout.name)
        for model_class, family in FAMILIES.items()
        for layout in family.layouts
        if layout.recognises(state)
    ]


def test_files_of_pvt_are_recognised_by_one_layout_and_others_by_none_of_pvt() -> None:
    families = {"pvt": V1.__name__, "pvt_v2": V2.__name__}
    for path in FOLDER.glob("*.json"):
        fixture = Fixture(path.stem)
        found = recognising(state_of(path.stem))
        if fixture.meta["family"] in families:
            expected = (families[fixture.meta["family"]], fixture.meta["layout"])
            assert found == [expected], path.stem
        else:
            assert not [name for name, _ in found if name in families.values()], path.stem
    for model_class in (V1, V2):
        assert recognising(model_class(**TINY).state_dict()) == [(model_class.__name__, "vitdet")]
