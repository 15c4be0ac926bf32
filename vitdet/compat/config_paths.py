"""Finds the configs that configs of mmdet name wrongly.

Breaks: in mmdet 3.3 four trackers name a base that is not there (without its `.py`, or below a
folder of the same name), and teachers of distillation are named `configs/...`, as seen from a clone
of mmdet. Delete when mmdet's files name them right, and as `mmdet::...`.
"""

import functools
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from vitdet.compat.hooks import when_imported

_PACKAGES = ("mmdet", "mmseg")


def find_base(path: Path) -> Path:
    """`path`, or if nothing is there the file that its config must have meant, if any."""
    meant = (path, path.with_name(f"{path.name}.py"), path.parent.parent / path.name)
    return next((one for one in meant if one.is_file()), path)


def find_config(path: Path) -> Path:
    """`path`, or if nothing is there and it starts with `configs`, that of an installed library."""
    if path.exists() or path.parts[:1] != ("configs",):
        return path
    for package in _PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            installed = Path(spec.origin).parent / ".mim" / path
            if installed.is_file():
                return installed
    return path


def _patch(config_module: ModuleType) -> None:
    config = config_module.Config
    original_path, original_fromfile = config._get_cfg_path, config.fromfile

    @functools.wraps(original_path)
    def get_cfg_path(cfg_path: str, filename: str) -> tuple[str, str | None]:
        found, scope = original_path(cfg_path, filename)
        return str(find_base(Path(found))), scope

    @functools.wraps(original_fromfile)
    def fromfile(filename: str | Path, *args: Any, **kwargs: Any) -> Any:
        return original_fromfile(find_config(Path(filename)), *args, **kwargs)

    config._get_cfg_path = staticmethod(get_cfg_path)
    config.fromfile = staticmethod(fromfile)


def install() -> None:
    """Register the patch of `mmengine.config.config`."""
    when_imported("mmengine.config.config", _patch)
