from pathlib import Path

import pytest

from vitdet.engine.config_file import find_config, read_config, shipped_configs
from vitdet.errors import UserError


def test_shipped_configs_are_found_by_name() -> None:
    assert find_config("swin_maskrcnn_coco").samefile(shipped_configs() / "swin_maskrcnn_coco.py")
    assert find_config("swin_maskrcnn_coco.py").is_file()


@pytest.mark.parametrize("name", ["swin_maskrcn_coco.py", "configs/swin_maskrcnn_cocco.py"])
def test_misspelt_name_offers_the_nearest(name: str) -> None:
    with pytest.raises(UserError, match=r"does not exist; did you mean .*swin_maskrcnn_coco"):
        find_config(name)


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_syntax_error_names_file_and_line(tmp_path: Path) -> None:
    path = write(tmp_path, "broken.py", "model = dict(\n    type='A'\n    depth=3)\n")
    with pytest.raises(UserError, match=r"broken\.py, line \d"):
        read_config(path)


def test_error_inside_a_config_names_its_line(tmp_path: Path) -> None:
    text = "from mmengine.config import read_base\nimport torch.nn\nx = 1\ny = z + 1\n"
    with pytest.raises(UserError, match=r"wrong\.py, line 4: NameError: name 'z'"):
        read_config(write(tmp_path, "wrong.py", text))


def test_missing_base_is_one_line(tmp_path: Path) -> None:
    text = "from mmengine.config import read_base\nwith read_base():\n    from .nowhere import *\n"
    with pytest.raises(UserError, match="nowhere") as error:
        read_config(write(tmp_path, "lost.py", text))
    assert "\n" not in str(error.value)


def test_text_style_inherits_text_style(tmp_path: Path) -> None:
    write(tmp_path, "base.py", "model = dict(type='MaskRCNN', depth=1)\n")
    path = write(tmp_path, "child.py", "_base_ = ['./base.py']\nmodel = dict(depth=2)\n")
    assert read_config(path).model == dict(type="MaskRCNN", depth=2)


def test_pure_python_base_under_text_style_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "base.py", "from torch import nn\nmodel = dict(type=nn.Linear)\n")
    path = write(tmp_path, "child.py", "_base_ = ['./base.py']\n")
    with pytest.raises(UserError, match="mixes the two styles"):
        read_config(path)


def test_text_style_base_under_pure_python_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "root.py", "a = 1\n")
    write(tmp_path, "base.py", "_base_ = ['./root.py']\nb = 2\n")
    text = "from mmengine.config import read_base\nwith read_base():\n    from .base import *\n"
    with pytest.raises(UserError, match="mixes the two styles"):
        read_config(write(tmp_path, "child.py", text))
