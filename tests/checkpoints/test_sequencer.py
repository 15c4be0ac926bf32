"""Published files of Sequencer2D: every entry finds its place, in no other family."""

import pytest
import torch
from torch import Tensor

from tests.reference.fixtures import Fixture
from vitdet.backbones import Sequencer2D
from vitdet.checkpoints import load_checkpoint
from vitdet.checkpoints.families import FAMILIES
from vitdet.errors import UserError

LAYOUT_FIXTURES = {
    "sequencer2d_s_official": "small",
    "sequencer2d_s_timm": "small",
    "sequencer2d_m_official_layout": "medium",
    "sequencer2d_l_official_layout": "large",
    "sequencer2d_l_timm_layout": "large",
}


def meta_state(name: str) -> dict[str, Tensor]:
    """On the meta device: only keys and shapes count."""
    entries = Fixture(name).meta["state_dict"]
    return {key: torch.empty(shape, device="meta") for key, shape, *_ in entries}


@pytest.mark.parametrize(("name", "arch"), LAYOUT_FIXTURES.items())
def test_every_published_entry_finds_its_place(name: str, arch: str) -> None:
    with torch.device("meta"):
        model = Sequencer2D(arch, out_strides=None, final_norm=True)
    report = load_checkpoint(model, meta_state(name))
    assert set(report.loaded) == set(model.state_dict())
    assert not report.missing and not report.unexpected
    assert {key.split(".")[0] for key in report.ignored} == {"head"}


@pytest.mark.parametrize("name", LAYOUT_FIXTURES)
def test_other_families_leave_it_alone(name: str) -> None:
    for model, family in FAMILIES.items():
        layouts = [layout.name for layout in family.layouts if layout.recognises(meta_state(name))]
        assert layouts == (name.split("_")[2:3] if model is Sequencer2D else [])


def test_our_own_files_load_and_another_size_is_refused() -> None:
    with torch.device("meta"):
        small, medium = Sequencer2D("small"), Sequencer2D("medium")
        state = Sequencer2D("small").state_dict()
    assert load_checkpoint(small, state).layouts == {"": "vitdet"}
    with pytest.raises(UserError, match=r"missing \(stages\.2\.blocks\.8\.norm1\.weight"):
        load_checkpoint(medium, state)


@pytest.mark.peer
def test_timm_features_only_models_load() -> None:
    timm = pytest.importorskip("timm")
    with torch.device("meta"):
        peer = timm.create_model("sequencer2d_s", features_only=True, out_indices=(0, 1, 2, 3))
        model = Sequencer2D("small", out_strides=None)
    report = load_checkpoint(model, peer.state_dict())
    assert report.layouts == {"": "timm"} and not report.missing
