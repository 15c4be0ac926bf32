"""A config that changes what its base only copied from is told so, and what to set."""

from pathlib import Path

import pytest
from mmengine.config import Config

from vitdet.engine import config_file
from vitdet.engine.config_copies import changes_without_effect
from vitdet.engine.config_file import find_config, read_config, shipped_configs

BASE = """
data_root = "data/theirs"
max_epochs = 12
train_pipeline = [dict(type="Load"), dict(type="Resize", scale=(2, 3))]
train_cfg = dict(max_epochs=max_epochs, val_interval=12)
train_dataloader = dict(dataset=dict(data_root=data_root, pipeline=train_pipeline))
"""
HEADS = {
    "pure Python": "from mmengine.config import read_base\n"
    "with read_base():\n    from .base import *",
    "text": "_base_ = 'base.py'",
}


@pytest.fixture(params=HEADS)
def warnings(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Reads a config of these lines over BASE, in either style; returns what is warned of."""
    # A pure-Python config imports something: that is what it is told by.
    imports = "import torch\n" if request.param == "pure Python" else ""
    (tmp_path / "base.py").write_text(imports + BASE)
    said = []
    monkeypatch.setattr(config_file, "print_log", lambda line, **_: said.append(line))

    def read(text: str) -> list[str]:
        (tmp_path / "mine.py").write_text(f"{HEADS[request.param]}\n{text}")
        read_config(tmp_path / "mine.py")
        return said

    return read


def test_a_pipeline_that_nothing_reads(warnings) -> None:
    (line,) = warnings("train_pipeline = [dict(type='Load')]\n")
    assert "mine.py, line " in line and "changing train_pipeline has no effect" in line
    assert line.endswith("set train_dataloader.dataset.pipeline instead")


def test_numbers_and_texts_are_known_by_their_name(warnings) -> None:
    root, epochs = warnings("data_root = 'data/mine'\nmax_epochs = 36\n")
    assert "set train_dataloader.dataset.data_root instead" in root
    assert "set train_cfg.max_epochs instead" in epochs  # and not its val_interval


@pytest.mark.parametrize(
    "text",
    [
        "",
        "train_cfg = dict(max_epochs=36)\n",
        "mine = [dict(type='Load')]\n",
        "max_epochs = 36\ntrain_cfg = dict(max_epochs=max_epochs)\n",
        "train_pipeline = [1]\ntrain_dataloader = dict(dataset=dict(pipeline=train_pipeline))\n",
        "train_pipeline = [1]\ntest_dataloader = dict(dataset=dict(pipeline=train_pipeline))\n",
    ],
)
def test_what_is_read_is_no_matter(warnings, text: str) -> None:
    assert warnings(text) == []


def test_a_change_in_place(tmp_path: Path) -> None:
    """Only a pure-Python config can do that; the line is that of the change."""
    path = tmp_path / "mine.py"
    base = "from vitdet.configs.swin_maskrcnn_coco import *"
    path.write_text(
        f"from mmengine.config import read_base\nwith read_base():\n    {base}\n\n"
        "train_pipeline[2].update(scale=(640, 640))\n"
    )
    (line,) = changes_without_effect(path, Config.fromfile(path), find_base=find_config)
    assert "line 5: changing train_pipeline" in line
    assert line.endswith("set train_dataloader.dataset.pipeline instead")


@pytest.mark.parametrize("name", ["detr_panoptic_coco", "swin_maskrcnn_shapes", "yolos_photos"])
def test_shipped_configs_say_what_they_mean(name: str) -> None:
    path = shipped_configs() / f"{name}.py"
    assert changes_without_effect(path, Config.fromfile(path), find_base=find_config) == []
