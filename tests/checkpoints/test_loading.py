"""load_checkpoint: complete or not at all, and every entry accounted for."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.reference.fixtures import Fixture
from vitdet.backbones import SwinTransformer
from vitdet.checkpoints import load_checkpoint
from vitdet.errors import UserError

TINY = dict(embed_dims=8, depths=(1, 2), num_heads=(1, 2), window_size=3, out_indices=(0, 1))
LAYOUT_FIXTURES = {
    "swin_s_det_official_layout": "small",
    "swin_b_det_official_layout": "base",
    "swin_l_w7_det_official_layout": "large",
    "swin_b_timm_layout": "base",
    "swin_b_hf_layout": "base",
}


class Detector(nn.Module):
    """The least that has a backbone of ours and a head with classes."""

    def __init__(self, num_classes: int = 4) -> None:
        super().__init__()
        self.backbone = SwinTransformer(**TINY)
        self.neck = nn.Linear(16, 5)
        self.fc_cls = nn.Linear(5, num_classes)


def official(model: nn.Module, prefix: str = "") -> dict[str, Tensor]:
    """The model's weights under the authors' keys."""
    names = {
        key: key.replace("stages.", "layers.").replace("norms.", "norm")
        for key in model.state_dict()
    }
    return {prefix + names[key]: value + 1 for key, value in model.state_dict().items()}


def is_loaded(model: nn.Module, source: nn.Module) -> bool:
    theirs = source.state_dict()
    return all(torch.equal(value, theirs[key] + 1) for key, value in model.state_dict().items())


@pytest.mark.parametrize(("name", "arch"), LAYOUT_FIXTURES.items())
def test_every_published_entry_finds_its_place(name: str, arch: str) -> None:
    """On the meta device: only keys and shapes count."""
    entries = Fixture(name).meta["state_dict"]
    state = {key: torch.empty(shape, device="meta") for key, shape, *_ in entries}
    with torch.device("meta"):
        model = SwinTransformer(arch)
    report = load_checkpoint(model, state)
    assert set(report.loaded) | set(report.missing) == set(model.state_dict())
    if "det" in name:
        assert not report.missing
        assert all(key.endswith("relative_position_index") for key in report.ignored)
    else:
        assert {key.split(".")[0] for key in report.missing} == {"norms"}
        assert {key.split(".")[-2] for key in report.ignored} <= {
            *("norm", "head", "fc", "layernorm", "classifier", "self"),
        }


@pytest.mark.peer
def test_timm_features_only_models_load() -> None:
    timm = pytest.importorskip("timm")
    peer = timm.create_model("swin_tiny_patch4_window7_224", features_only=True).eval()
    model = SwinTransformer("tiny").eval()
    report = load_checkpoint(model, peer.state_dict())
    assert report.layouts == {"": "timm"}
    model.norms = nn.ModuleDict({key: nn.Identity() for key in model.norms})
    images = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        for ours, theirs in zip(model(images)[:3], peer(images), strict=False):
            torch.testing.assert_close(ours, theirs.permute(0, 3, 1, 2), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"model": state, "optimizer": {}},
        lambda state: {"state_dict": state, "meta": {"epoch": 3}},
        lambda state: {"state_dict": {f"module.{key}": v for key, v in state.items()}},
        lambda state: {f"backbone.{k}": v for k, v in state.items()} | {"neck.x": torch.ones(1)},
    ],
    ids=["bare", "model", "state_dict", "module", "backbone"],
)
def test_wrappers_are_taken_off(wrap: Callable[[dict], dict]) -> None:
    source, model = SwinTransformer(**TINY), SwinTransformer(**TINY)
    report = load_checkpoint(model, wrap(official(source)))
    assert is_loaded(model, source)
    assert report.layouts == {"": "official"} and not report.missing


def test_prefix_picks_a_part() -> None:
    source, model = SwinTransformer(**TINY), SwinTransformer(**TINY)
    state = official(source, "encoder.")
    load_checkpoint(model, state, prefix="encoder")
    assert is_loaded(model, source)
    with pytest.raises(UserError, match=r"'decoder\.'; there is encoder"):
        load_checkpoint(model, state, prefix="decoder")


def test_own_layout_round_trips_through_a_file(tmp_path) -> None:
    source, model = Detector(), Detector()
    torch.save({"state_dict": source.state_dict()}, tmp_path / "last.pth")
    report = load_checkpoint(model, tmp_path / "last.pth")
    for key, value in model.state_dict().items():
        assert torch.equal(value, source.state_dict()[key])
    assert report.layouts == {"backbone": "vitdet"}
    assert set(report.loaded) == set(source.state_dict())


def test_backbone_within_a_detector_is_converted() -> None:
    source, model = Detector(), Detector()
    state = official(source.backbone, "backbone.")
    state |= {k: v + 1 for k, v in source.state_dict().items() if not k.startswith("backbone.")}
    load_checkpoint(model, state)
    assert is_loaded(model, source)


def test_bias_tables_of_another_window_are_resized() -> None:
    source = SwinTransformer(**TINY)
    model = SwinTransformer(**{**TINY, "window_size": 5})
    for block in (b for stage in source.stages for b in stage.blocks):
        nn.init.constant_(block.attn.relative_position_bias_table, 2.0)
    report = load_checkpoint(model, source.state_dict())
    assert len(report.resized) == 3
    assert all(key.endswith("relative_position_bias_table") for key in report.resized)
    assert set(report.resized) <= set(report.loaded)
    table = model.stages[1].blocks[1].attn.relative_position_bias_table
    torch.testing.assert_close(table, torch.full((81, 2), 2.0))


@pytest.mark.parametrize("as_tokens", [False, True])
def test_position_embedding_is_resized(as_tokens: bool) -> None:
    options = {**TINY, "use_abs_pos_embed": True}
    source = SwinTransformer(**options, pretrain_img_size=16)
    state = official(source)
    if as_tokens:
        state["absolute_pos_embed"] = state["absolute_pos_embed"].flatten(2).transpose(1, 2)
    same = SwinTransformer(**options, pretrain_img_size=16)
    assert not load_checkpoint(same, state).resized
    assert is_loaded(same, source)
    larger = SwinTransformer(**options, pretrain_img_size=32)
    assert load_checkpoint(larger, state).resized == ["absolute_pos_embed"]


def without(state: dict[str, Tensor], *keys: str) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if key not in keys}


NORMS = tuple(f"norm{i}.{part}" for i in (0, 1) for part in ("weight", "bias"))


def test_classification_files_leave_output_norms_fresh() -> None:
    model = SwinTransformer(**TINY)
    state = without(official(model), *NORMS) | {"head.weight": torch.ones(10, 16)}
    report = load_checkpoint(model, state)
    assert report.missing == [key.replace("norm", "norms.") for key in NORMS]
    assert report.ignored == ["head.weight"]
    assert str(report) == (
        "state dict (official layout) into SwinTransformer: 46 entries loaded, 4 missing "
        "(norms.0.weight, norms.0.bias, norms.1.weight, ...), 1 ignored (head.weight)."
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: without(s, "norm0.weight"), r"1 missing \(norms\.0\.weight\)"),
        (
            lambda s: without(s, "layers.1.blocks.1.mlp.fc1.bias"),
            r"1 missing \(stages\.1\.blocks\.1\.mlp\.fc1\.bias\)",
        ),
        (
            lambda s: s | {"layers.1.blocks.0.attn.logit_scale": torch.ones(2, 1, 1)},
            r"1 unexpected \(stages\.1\.blocks\.0\.attn\.logit_scale\)",
        ),
        (
            lambda s: s | {"patch_embed.norm.bias": torch.ones(9)},
            r"patch_embed\.norm\.bias: \[9\] in the file, \[8\] in the model",
        ),
        (
            lambda s: (
                s | {"layers.1.blocks.0.attn.relative_position_bias_table": torch.ones(49, 3)}
            ),
            r"\[49, 3\] in the file, \[25, 2\] in the model",
        ),
        (lambda s: {"fc.weight": torch.ones(1)}, "of none of the layouts vitdet, official, timm"),
        (lambda s: {"epoch": 3}, "holds no weights, only epoch"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(
    change: Callable[[dict], dict], message: str
) -> None:
    model = SwinTransformer(**TINY)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(UserError, match=message) as error:
        load_checkpoint(model, change(official(model)), source="weights.pth")
    assert "\n" not in str(error.value) and str(error.value).startswith("weights.pth")
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])


def test_backbone_weights_given_to_a_detector_name_the_right_door() -> None:
    with pytest.raises(UserError, match=r"holds weights of the backbone only, .* init_cfg"):
        load_checkpoint(Detector(), official(SwinTransformer(**TINY)))


def test_other_classes_have_to_be_asked_for() -> None:
    source, model = Detector(num_classes=4), Detector(num_classes=7)
    state = source.state_dict()
    with pytest.raises(UserError, match=r"2 of another shape .* pass new_classes=True"):
        load_checkpoint(model, state)
    head = model.fc_cls.weight.clone()
    report = load_checkpoint(model, state, new_classes=True)
    assert report.fresh == ["fc_cls.weight", "fc_cls.bias"]
    assert torch.equal(model.fc_cls.weight, head)
    assert torch.equal(model.neck.weight, source.neck.weight)


def test_new_classes_excuse_no_other_mismatch() -> None:
    source, model = Detector(), Detector()
    state = source.state_dict() | {
        "fc_cls.weight": torch.ones(9, 6),
        "backbone.norms.0.bias": torch.ones(9),
    }
    with pytest.raises(UserError, match="2 of another shape"):
        load_checkpoint(model, state, new_classes=True)


def test_output_norms_of_stages_not_returned_are_ignored() -> None:
    source = SwinTransformer(**TINY)
    model = SwinTransformer(**{**TINY, "out_indices": (1,)})
    report = load_checkpoint(model, official(source))
    assert set(report.ignored) == {"norms.0.weight", "norms.0.bias"}
    assert is_loaded(model, source)
