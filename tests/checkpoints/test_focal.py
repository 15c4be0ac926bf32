"""Published files of the Focal Transformer: every entry finds its place, in no other family."""

import pytest
import torch
from torch import Tensor

from tests.reference.fixtures import Fixture
from vitdet.backbones import FocalTransformer, SwinTransformer
from vitdet.checkpoints import load_checkpoint
from vitdet.checkpoints.families import FAMILIES
from vitdet.errors import UserError

LAYOUT_FIXTURES = {
    "focal_t_224_official": ("tiny", False),
    "focal_t_useconv_224_official_layout": ("tiny", True),
    "focal_s_224_official_layout": ("small", False),
    "focal_b_224_official_layout": ("base", False),
}
TINY = dict(
    embed_dims=8, depths=(1, 1), num_heads=(1, 2), window_size=4, focal_windows=3, out_indices=(1,)
)


def meta_state(name: str) -> dict[str, Tensor]:
    """On the meta device: only keys and shapes count."""
    entries = Fixture(name).meta["state_dict"]
    return {key: torch.empty(shape, device="meta") for key, shape, *_ in entries}


def official(model: FocalTransformer) -> dict[str, Tensor]:
    state = {key.replace("stages.", "layers."): v + 1 for key, v in model.state_dict().items()}
    return {key.replace("norms.", "norm"): value for key, value in state.items()}


@pytest.mark.parametrize(("name", "size"), LAYOUT_FIXTURES.items())
def test_every_published_entry_finds_its_place(name: str, size: tuple[str, bool]) -> None:
    with torch.device("meta"):
        model = FocalTransformer(size[0], use_conv_embed=size[1], out_indices=(), final_norm=True)
    report = load_checkpoint(model, meta_state(name))
    assert set(report.loaded) == set(model.state_dict())
    assert not report.missing and not report.unexpected and not report.resized
    computed = {key for key, _, _, generated, *_ in Fixture(name).meta["state_dict"]}
    assert set(report.ignored) <= computed | {"head.weight", "head.bias"}


def test_other_families_leave_it_alone() -> None:
    ours = {f"stages{key[6:]}": v for key, v in meta_state("focal_t_224_official").items()}
    for state in (meta_state("focal_t_224_official"), ours):
        for model, family in FAMILIES.items():
            claims = any(layout.recognises(state) for layout in family.layouts)
            assert claims == (model is FocalTransformer), model
    swin = meta_state("swin_t_det_official")
    assert not any(layout.recognises(swin) for layout in FAMILIES[FocalTransformer].layouts)


def test_detection_files_and_our_own_load() -> None:
    source, model = FocalTransformer(**TINY), FocalTransformer(**TINY)
    report = load_checkpoint(model, official(source))
    assert not report.missing and not report.ignored
    for key, value in model.state_dict().items():
        assert torch.equal(value, source.state_dict()[key] + 1)
    assert load_checkpoint(model, source.state_dict()).layouts == {"": "vitdet"}


def test_computed_entries_are_ignored() -> None:
    model = FocalTransformer(**TINY)
    computed = ("valid_ind_rolled", "valid_ind_unfold_1", "relative_position_index_0")
    state = official(model) | {
        f"layers.0.blocks.0.attn.{name}": torch.zeros(1) for name in computed
    }
    assert len(load_checkpoint(model, state).ignored) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window_size": 5}, r"\[49, 1\] in the file, \[81, 1\] in the model"),
        ({"depths": (1, 2)}, r"missing \(stages\.1\.blocks\.1\.pool_layers\.0\.weight"),
        ({"focal_levels": 1}, r"unexpected \(stages\.0\.blocks\.0\.pool_layers\.0\.weight"),
    ],
)
def test_another_size_is_refused_and_changes_nothing(options: dict, message: str) -> None:
    state = official(FocalTransformer(**TINY))
    model = FocalTransformer(**{**TINY, **options})
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(UserError, match=message):
        load_checkpoint(model, state)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])


def test_swin_and_focal_refuse_each_other() -> None:
    swin = SwinTransformer(
        embed_dims=8, depths=(1, 1), num_heads=(1, 2), window_size=4, out_indices=(1,)
    )
    focal = FocalTransformer(**TINY)
    for model, state in ((swin, focal.state_dict()), (focal, swin.state_dict())):
        with pytest.raises(UserError, match="the model is a"):
            load_checkpoint(model, state)
