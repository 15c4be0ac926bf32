"""docs/models.md is what the configs give, and its counts are right."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch

from vitdet.backbones import SwinTransformer

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").glob("*.py"))
# On the meta device an LSTM is taken apart step by step: half a minute.
SLOW = {"sequencer_classifier_imagenet"}


@pytest.fixture(scope="module")
def table() -> ModuleType:
    spec = importlib.util.spec_from_file_location("model_table", ROOT / "tools/model_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] * (path.stem in SLOW))
        for path in CONFIGS
    ],
)
def test_every_config_has_its_current_row(table: ModuleType, path: Path) -> None:
    assert f"{table.table_row(path)}\n" in table.TARGET.read_text(), "run tools/model_table.py"


def test_no_other_rows(table: ModuleType) -> None:
    text = table.TARGET.read_text()
    assert text.startswith(table.HEADER)
    assert text.count("\n") == table.HEADER.count("\n") + len(CONFIGS)


@pytest.mark.parametrize(
    ("arch", "published"),
    [("tiny", 4.5), ("small", 8.7), ("base", 15.4)],  # arXiv:2103.14030, table 1, at 224x224
)
def test_multiply_adds_of_a_backbone(table: ModuleType, arch: str, published: float) -> None:
    class Model(torch.nn.Module):
        """Counted as a detector whose head takes the maps as they are."""

        def __init__(self) -> None:
            super().__init__()
            self.backbone = SwinTransformer(arch)
            self.bbox_head = torch.nn.Identity()

    with torch.device("meta"):
        model = Model().eval()
    assert round(table.multiply_adds(model, 224, 224) / 1e9, 1) == published


def test_a_model_of_unknown_parts_is_not_counted(table: ModuleType) -> None:
    model = torch.nn.Module()
    model.backbone = torch.nn.Identity()
    assert table.multiply_adds(model, 8, 8) is None
