"""Supplies `mmcv._ext`, the module of compiled kernels.

Breaks: mmcv-lite 2.1 has no `mmcv._ext`, so `import mmcv.ops`, and with it `mmdet.models` and
`mmseg.models`, fails; mmcv itself does not compile against torch >= 2.6 or on Python >= 3.12.
Delete when mmcv ships wheels for current torch, or mmdet no longer imports `mmcv.ops`.
"""

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType


class _ExtFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Stands last on `sys.meta_path`, so a compiled `mmcv._ext` always wins."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "mmcv._ext":
            return None
        return importlib.machinery.ModuleSpec(fullname, self, origin="vitdet.compat.mmcv_ops")

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        from vitdet.compat import mmcv_ops

        mmcv_ops.populate(module)


def install() -> None:
    """Offer our `mmcv._ext` wherever no compiled one is found."""
    if not any(isinstance(finder, _ExtFinder) for finder in sys.meta_path):
        sys.meta_path.append(_ExtFinder())
