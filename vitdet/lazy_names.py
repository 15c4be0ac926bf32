"""Packages that import a name's file when the name is first asked for.

Those whose parts do without torch are such packages: `vitdet check-data` needs readers of labels
only, and importing torch and mmdet beside them would take longer than the check.
"""

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package (PEP 562); `homes` gives the module of each of its names."""

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    return find
