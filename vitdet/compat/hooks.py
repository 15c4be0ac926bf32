"""Patch a module of another library when it is imported, not before.

`import vitdet` must stay cheap, yet mmengine, mmcv and torchvision need mending before anyone uses
them. A finder at the head of `sys.meta_path` therefore waits for the named modules and applies the
patch right after their own code has run; a module that is already imported is patched at once.
"""

import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

Patch = Callable[[ModuleType], None]


class _PatchingLoader:
    """Runs a module's real loader, then the patches that wait for the module."""

    def __init__(self, loader: Any, patches: list[Patch]) -> None:
        self._loader = loader
        self._patches = patches

    def __getattr__(self, name: str) -> Any:  # get_source, is_package, get_resource_reader, ...
        return getattr(self._loader, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        for patch in self._patches:
            patch(module)


class _PatchingFinder:
    """Finds only modules that have patches waiting, by asking all other finders."""

    def __init__(self) -> None:
        self.patches: dict[str, list[Patch]] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self.patches:
            return None
        for finder in sys.meta_path:
            if finder is self:
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = _PatchingLoader(spec.loader, self.patches[fullname])
                return spec
        return None


_FINDER = _PatchingFinder()


def when_imported(module_name: str, patch: Patch) -> None:
    """Call `patch(module)` once, right after `module_name` is imported or now if it already is."""
    if module_name in sys.modules:
        patch(sys.modules[module_name])
        return
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
    _FINDER.patches.setdefault(module_name, []).append(patch)
