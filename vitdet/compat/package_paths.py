"""Finds installed packages without `pkg_resources`, and our configs wherever they lie.

Breaks: setuptools >= 82 has no `pkg_resources`, through which mmengine (<= 0.10) looks up packages,
so `_base_ = ["mmdet::..."]` and `from mmdet... import *` under `read_base` fail.
Also, mmengine resolves `from vitdet.configs.x import *` to a file below the package: true in a
wheel, but a clone keeps `configs/` beside `vitdet/`. Delete the former when mmengine uses
`importlib.metadata`; the latter when it asks the import system for a base config's path.
"""

import importlib.util
from pathlib import Path
from types import ModuleType

from vitdet.compat.hooks import replace_everywhere, when_imported


def is_installed(package: str) -> bool:
    """Whether `package` names an installed distribution or a regular package on the path."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        distribution(package)
    except PackageNotFoundError:
        spec = importlib.util.find_spec(package)
        return spec is not None and spec.origin is not None
    return True


def get_installed_path(package: str) -> str:
    """Return the folder of `package`, given as a module's or as a distribution's name.

    For `vitdet` itself it is the folder in which `configs/` lies.

    Raises:
        PackageNotFoundError: nothing of that name is installed.
        RuntimeError: a namespace package, which has no folder of its own.
    """
    spec = importlib.util.find_spec(package) or importlib.util.find_spec(package2module(package))
    if spec is None or spec.origin is None:
        raise RuntimeError(f"{package} is a namespace package, which has no folder of its own")
    folder = Path(spec.origin).parent
    if package == "vitdet" and not (folder / "configs").is_dir():
        folder = folder.parent
    return str(folder)


def package2module(package: str) -> str:
    """Return the first top-level module of the distribution `package`.

    Raises:
        PackageNotFoundError: it is not installed.
        ValueError: the distribution does not list its modules.
    """
    from importlib.metadata import distribution

    modules = distribution(package).read_text("top_level.txt")
    if not modules:
        raise ValueError(f"can not infer the module name of {package}")
    return modules.split()[0]


def _patch(package_utils: ModuleType) -> None:
    for function in (is_installed, get_installed_path, package2module):
        replace_everywhere(package_utils, function.__name__, function)


def install() -> None:
    """Register the patch of `mmengine.utils.package_utils`."""
    when_imported("mmengine.utils.package_utils", _patch)
