"""Configs that name others wrongly, as some of mmdet's do, find them."""

from pathlib import Path

import pytest
from mmengine import Config

from vitdet.zoo.configs import find_zoo_config


@pytest.mark.parametrize("base", ["part", "./here/part.py", "part.py"])
def test_base_without_suffix_or_below_its_own_folder(tmp_path: Path, base: str) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "part.py").write_text("depth = 4\n")
    (folder / "whole.py").write_text(f"_base_ = [{base!r}]\nwidth = 2\n")
    config = Config.fromfile(folder / "whole.py")
    assert (config.depth, config.width) == (4, 2)


def test_a_base_that_is_nowhere_is_still_missed(tmp_path: Path) -> None:
    (tmp_path / "whole.py").write_text("_base_ = ['./nowhere.py']\n")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Config.fromfile(tmp_path / "whole.py")


@pytest.mark.parametrize(
    "name",
    [
        "mmdet::sort/faster-rcnn_r50_fpn_8xb2-4e_mot17train_test-mot17train",
        "mmdet::bytetrack/bytetrack_yolox_x_8xb4-amp-80e_crowdhuman-mot17halftrain_test-mot17test",
    ],
)
def test_mmdet_s_own(name: str) -> None:
    assert Config.fromfile(find_zoo_config(name)).model.type


def test_configs_of_a_clone_are_found_in_the_installed_library(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = "configs/gfl/gfl_r101_fpn_ms-2x_coco.py"
    assert Config.fromfile(path).model.type == "GFL"
    Path("configs/gfl").mkdir(parents=True)
    Path(path).write_text("mine = 1\n")
    assert Config.fromfile(path).mine == 1  # a file of the user's comes first
    with pytest.raises(FileNotFoundError):
        Config.fromfile("configs/gfl/nowhere.py")
