"""Our `mmcv._ext`: complete, found by everyone who looks for it, and second to a compiled one."""

import importlib
import importlib.util
import inspect
import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import vitdet
from vitdet.compat.mmcv_ops import OPS, unsupported

ROOT = Path(vitdet.__file__).parents[1]
SIGNATURES = json.loads(
    (Path(__file__).parents[1] / "reference/ops/ext_signatures.json").read_text()
)["functions"]


def python(code: str, *paths: Path) -> str:
    """What a fresh interpreter prints, with `paths` ahead of everything else."""
    path = os.pathsep.join(map(str, [*paths, ROOT]))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_vitdet_loads_neither_torch_nor_openmmlab() -> None:
    loaded = python("import sys, vitdet; print(*sys.modules)").split()
    assert "vitdet.compat" in loaded
    assert not {"torch", "torchvision", "numpy", "mmcv", "mmengine", "mmdet"} & set(loaded)


def test_mmcv_mmdet_and_mmseg_import() -> None:
    assert python("import vitdet, mmcv.ops, mmdet.models, mmseg.models; print('done')") == "done"


def test_a_compiled_ext_wins(tmp_path: Path) -> None:
    (tmp_path / "mmcv").mkdir()
    (tmp_path / "mmcv/__init__.py").touch()
    (tmp_path / "mmcv/_ext.py").write_text("nms = 'compiled'")
    assert python("import vitdet, mmcv._ext; print(mmcv._ext.nms)", tmp_path) == "compiled"


@pytest.mark.filterwarnings("ignore:.*find_loader:DeprecationWarning")
def test_is_found_by_the_checks_of_mmcv_and_mmengine() -> None:
    from mmcv.utils.ext_loader import check_ops_exist
    from mmengine.utils.dl_utils.misc import mmcv_full_available

    assert pkgutil.find_loader("mmcv._ext") is not None
    assert check_ops_exist()
    assert mmcv_full_available()


def test_spec_is_proper() -> None:
    ext = importlib.import_module("mmcv._ext")
    spec = importlib.util.find_spec("mmcv._ext")
    assert ext.__spec__ == spec
    assert (spec.name, spec.parent, spec.origin) == ("mmcv._ext", "mmcv", "vitdet.compat.mmcv_ops")
    assert ext.__loader__ is spec.loader
    assert importlib.reload(ext) is ext


def test_every_name_of_mmcv_exists_once() -> None:
    ext = importlib.import_module("mmcv._ext")
    assert sorted([*OPS, *unsupported.NAMES]) == sorted(SIGNATURES)
    assert all(callable(getattr(ext, name)) for name in SIGNATURES)


@pytest.mark.parametrize("name", OPS)
def test_takes_the_arguments_of_the_compiled_function(name: str) -> None:
    compiled = SIGNATURES[name]["signature"][0].split(" -> ")[0].strip("()")
    expected = [argument.split(":")[0] for argument in compiled.split(", ") if argument]
    ext = importlib.import_module("mmcv._ext")
    assert list(inspect.signature(getattr(ext, name)).parameters) == expected


def test_an_op_that_is_not_supplied_says_so() -> None:
    import torch
    from mmcv.ops import nms_rotated

    with pytest.raises(NotImplementedError, match=r"mmcv\._ext\.nms_rotated is not supplied"):
        nms_rotated(torch.rand(3, 5), torch.rand(3), 0.5)
