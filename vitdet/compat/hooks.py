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
Translate = Callable[[Exception], Exception | None]


class _PatchingLoader:
    """Runs a module's real loader, then the patches that wait for the module."""

    def __init__(self, loader: Any, patches: list[Patch], translate: Translate | None) -> None:
        self._loader = loader
        self._patches = patches
        self._translate = translate

    def __getattr__(self, name: str) -> Any:  # get_source, is_package, get_resource_reader, ...
        return getattr(self._loader, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = module.__spec__.loader = self._loader
        try:
            self._loader.exec_module(module)
        except Exception as error:
            clearer = self._translate(error) if self._translate else None
            if clearer is None:
                raise
            raise clearer from error
        for patch in self._patches:
            patch(module)


class _PatchingFinder:
    """Finds only modules that have patches or a guard waiting, by asking all other finders."""

    def __init__(self) -> None:
        self.patches: dict[str, list[Patch]] = {}
        self.guards: dict[str, Translate] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self.patches and fullname not in self.guards:
            return None
        for finder in sys.meta_path:
            if finder is self:
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                patches = self.patches.get(fullname, [])
                spec.loader = _PatchingLoader(spec.loader, patches, self.guards.get(fullname))
                return spec
        return None


_FINDER = _PatchingFinder()


def when_imported(module_name: str, patch: Patch) -> None:
    """Call `patch(module)` once, right after `module_name` is imported or now if it already is."""
    if module_name in sys.modules:
        patch(sys.modules[module_name])
        return
    _stand_first()
    _FINDER.patches.setdefault(module_name, []).append(patch)


def guard_import(module_name: str, translate: Translate) -> None:
    """When importing `module_name` fails, raise what `translate(error)` returns, if anything."""
    _stand_first()
    _FINDER.guards[module_name] = translate


def replace_everywhere(module: ModuleType, name: str, replacement: Any) -> None:
    """Set `module.name`, also in modules that already hold a copy (`from .module import name`)."""
    original = getattr(module, name)
    for holder in list(sys.modules.values()):
        if getattr(holder, "__dict__", {}).get(name) is original:
            setattr(holder, name, replacement)


def _stand_first() -> None:
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)
