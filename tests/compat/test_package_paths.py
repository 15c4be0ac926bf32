"""Packages are found without `pkg_resources`; a config anywhere may build on ours or on mmdet's."""

import importlib.metadata
import shutil
import subprocess
import sys
from pathlib import Path

import mmengine
import pytest
from mmengine import Config
from mmengine.utils import get_installed_path, is_installed

import vitdet
from vitdet.compat.package_paths import package2module

REPOSITORY = Path(__file__).parents[2]


def test_module_and_distribution_names():
    assert is_installed("mmengine") and is_installed("mmsegmentation")
    assert not is_installed("no_such_package")
    assert get_installed_path("mmengine") == str(Path(mmengine.__file__).parent)
    assert Path(get_installed_path("mmsegmentation")).name == "mmseg"
    assert package2module("mmcv-lite") == "mmcv"
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        get_installed_path("no_such_package")


def test_namespace_package_is_refused(tmp_path, monkeypatch):
    (tmp_path / "bare_folder").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert not is_installed("bare_folder")
    with pytest.raises(RuntimeError, match="namespace package"):
        get_installed_path("bare_folder")


def test_text_config_builds_on_mmdet(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text('_base_ = ["mmdet::_base_/models/mask-rcnn_r50_fpn.py"]\nmine = 1\n')
    config = Config.fromfile(path)
    assert config.model.type == "MaskRCNN"
    assert config.mine == 1


def test_python_config_builds_on_an_installed_package(tmp_path, monkeypatch):
    (tmp_path / "colleague").mkdir()
    (tmp_path / "colleague" / "__init__.py").touch()
    (tmp_path / "colleague" / "base.py").write_text("depth = 4\n")
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "mine.py"
    path.write_text(
        "from mmengine.config import read_base\n"
        "with read_base():\n    from colleague.base import *\nwidth = depth * 2\n"
    )
    config = Config.fromfile(path)
    assert (config.depth, config.width) == (4, 8)


@pytest.mark.parametrize("layout", ["clone", "wheel"])
def test_python_config_builds_on_ours(tmp_path, layout):
    """In a clone `configs/` lies beside the package, in a wheel inside of it."""
    package = tmp_path / "root" / "vitdet"
    shutil.copytree(
        Path(vitdet.__file__).parent,
        package,
        ignore=shutil.ignore_patterns("__pycache__", "configs"),
    )
    configs = (package if layout == "wheel" else tmp_path / "root") / "configs"
    (configs / "_base_").mkdir(parents=True)
    (configs / "_base_" / "part.py").write_text("depth = 4\n")
    (configs / "whole.py").write_text(
        "from mmengine.config import read_base\n"
        "with read_base():\n    from ._base_.part import *\nwidth = depth * 2\n"
    )
    mine = tmp_path / "elsewhere" / "mine.py"
    mine.parent.mkdir()
    mine.write_text(
        "from mmengine.config import read_base\n"
        "with read_base():\n    from vitdet.configs.whole import *\nheight = width + 1\n"
    )
    script = (
        f"import sys; sys.path.insert(0, {str(package.parent)!r})\n"
        "import vitdet; from mmengine import Config\n"
        f"config = Config.fromfile({str(mine)!r})\n"
        "print(vitdet.__file__, config.depth, config.width, config.height)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert ended.stdout.split() == [str(package / "__init__.py"), "4", "8", "9"]
