"""What a file is, told from its keys and shapes; and what would become of it in a model."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.reference.fixtures import Fixture
from vitdet.backbones import SwinTransformer
from vitdet.backbones.backbone import Backbone
from vitdet.checkpoints import load_checkpoint
from vitdet.checkpoints.families import FAMILIES
from vitdet.checkpoints.identify import identify
from vitdet.checkpoints.inspection import inspect_checkpoint
from vitdet.checkpoints.layout import Converted, Family, Layout
from vitdet.checkpoints.loading import try_load
from vitdet.cli import main
from vitdet.errors import UserError

TINY = dict(embed_dims=8, depths=(1, 2), num_heads=(1, 2), window_size=3, out_indices=(0, 1))


def save_layout(folder: Path, name: str, wrapper: str = "model", **others: object) -> Path:
    """A file with the keys and shapes of a fixture; its zeros take no room on the disk."""
    state = {
        key: torch.zeros(1, dtype=getattr(torch, dtype)).expand(shape)
        for key, shape, dtype, *_ in Fixture(name).meta["state_dict"]
    }
    torch.save({wrapper: state, **others}, folder / f"{name}.pth")
    return folder / f"{name}.pth"


@pytest.mark.parametrize(
    ("name", "arch", "layout", "kind", "millions"),
    [  # parameters: arXiv:2103.14030, tables 1 and 2; mmdet's Mask R-CNN with Swin-T: 47.8
        ("swin_t_cls_official", "tiny", "official", "a classifier of 1000 classes", 28.3),
        ("swin_t_hf", "tiny", "transformers", "a classifier of 1000 classes", 28.3),
        ("swin_b_timm_layout", "base", "timm", "a classifier of 1000 classes", 87.8),
        ("swin_s_det_official_layout", "small", "official", "a backbone", 48.8),
        ("mask_rcnn_swin_t_mmdet", "tiny", "mmdet", "a detector with masks", 47.8),
    ],
)
def test_published_files(
    tmp_path: Path, name: str, arch: str, layout: str, kind: str, millions: float
) -> None:
    summary = inspect_checkpoint(save_layout(tmp_path, name))
    assert summary.identity.cls is SwinTransformer
    assert (summary.arch, summary.num_differing) == (arch, 0)
    assert summary.identity.layout.name == layout
    assert summary.kind.startswith(kind)
    assert round(summary.num_parameters / 1e6, 1) == millions
    assert f"size '{arch}', {layout} layout" in str(summary)


def test_a_run_of_ours_tells_what_it_is(tmp_path: Path) -> None:
    model = SwinTransformer(**TINY)
    state = {f"backbone.{key}": value for key, value in model.state_dict().items()}
    state |= {"bbox_head.cls.weight": torch.zeros(3, 2), "neck.norm.running_mean": torch.zeros(5)}
    meta = dict(epoch=7, best_score=0.123456, cfg="x = 1", dataset_meta=dict(classes=("a", "b")))
    torch.save(dict(state_dict=state, meta=meta, optimizer={}), tmp_path / "last.pth")
    summary = inspect_checkpoint(tmp_path / "last.pth")
    assert summary.class_names == ("a", "b")
    assert summary.num_parameters == sum(p.numel() for p in model.parameters()) + 6
    text = str(summary)
    assert "no published size" in text and "a detector (bbox_head)" in text
    assert "epoch 7, best_score 0.1235, config included, optimizer included" in text


def test_unknown_weights_are_described_all_the_same(tmp_path: Path) -> None:
    torch.save({"x.weight": torch.zeros(2), "y": torch.zeros(1)}, tmp_path / "a.pth")
    summary = inspect_checkpoint(tmp_path / "a.pth")
    assert summary.identity is None
    assert "unknown; its keys begin with x, y" in str(summary)


def test_no_weights(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "a.pth")
    with pytest.raises(UserError, match="holds no weights, only epoch"):
        inspect_checkpoint(tmp_path / "a.pth")


class Other(Backbone):
    """A family whose keys no other has."""

    def __init__(self, arch: str = "tiny") -> None:
        super().__init__()
        self.proj = torch.nn.Linear(2, 2)


@pytest.fixture
def other_family(monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """Weights of a second family, whatever this vitdet has."""
    layout = Layout("timm", lambda state: "other.w" in state, lambda state: Converted(dict(state)))
    family = Family((layout,), {}, lambda state, key: False, "^$")
    monkeypatch.setitem(FAMILIES, Other, family)
    return {"other.w": torch.zeros(2)}


@pytest.mark.parametrize("prefix", ["", "backbone.", "encoder."])
def test_another_family_is_named(other_family: dict[str, Tensor], prefix: str) -> None:
    state = {prefix + key: value for key, value in other_family.items()}
    assert identify(state).cls is Other and identify(state).prefix == prefix
    with pytest.raises(
        UserError, match=r"is a Other checkpoint \(timm layout\), the model is a Swin"
    ):
        load_checkpoint(SwinTransformer(**TINY), state)


def test_try_load_reports_what_it_refuses_and_changes_nothing() -> None:
    model = SwinTransformer(**TINY)
    before = model.patch_embed.proj.weight.clone()
    state = {key: torch.ones_like(value) for key, value in model.state_dict().items()}
    report, problem = try_load(model, state, source="x")
    assert problem is None and len(report.loaded) == len(state)
    del state["patch_embed.proj.bias"]
    report, problem = try_load(model, state, source="x")
    assert "1 missing" in problem and len(report.loaded) == len(state)
    assert torch.equal(model.patch_embed.proj.weight, before)


def test_the_command_compares_with_a_config(tmp_path: Path, capsys) -> None:
    backbone = save_layout(tmp_path, "swin_t_cls_official")
    detector = save_layout(tmp_path, "mask_rcnn_swin_t_official", "state_dict")
    main(["inspect", str(backbone), "swin_maskrcnn_coco"])
    assert "fits its model.backbone: " in capsys.readouterr().out
    main(["inspect", str(detector), "swin_maskrcnn_coco"])
    assert "fits its model: " in capsys.readouterr().out
    main(["inspect", str(backbone), "swin_small_maskrcnn_coco_3x"])
    assert "refused for its model.backbone: " in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xe0 no checkpoint"])
def test_what_is_no_checkpoint_ends_in_one_line(tmp_path: Path, capsys, content: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(SystemExit) as stopped:
        main(["inspect", str(tmp_path / "a.jpg")])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_set_predictor_is_no_backbone(tmp_path: Path) -> None:
    summary = str(inspect_checkpoint(save_layout(tmp_path, "yolos_s_hf_layout")))
    assert "YOLOS, size 'small', transformers layout" in summary
    assert "a detector, 30,684,768 parameters" in summary
    assert "a YOLOS of small size, as load_from" in summary
