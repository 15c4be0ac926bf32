"""Decides whether a config that nobody vouches for may be handed to a registry's `build`.

A registry builds whatever a `type` names: `MODELS.build(dict(type="os.system", command=...))` runs
the command, and parts of mmdet and mmcv evaluate or unpickle what some of their arguments name.
So a `type` must resolve to a class of the kind that its place expects, and arguments must be plain
values: no path, no URL, no call, no name of something else that could be imported.
"""

import importlib
import inspect
import re
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from mmengine import registry as mmengine_registry
from mmengine.config import ConfigDict
from mmengine.registry import Registry

from vitdet.errors import UserError

_SCOPES = ("vitdet", "mmdet", "mmseg", "mmengine", "mmcv")
_MODULES = (*_SCOPES, "torch.nn", "torchvision.models", "torchvision.ops", "torchvision.transforms")
# Other weights than those of the checkpoint, and a teacher that only training listens to.
_DROPPED = ("init_cfg", "pretrained", "distillation")
_NMS = re.compile(r"(?:mmcv\.ops\.)?(?:nms\.)?(nms|soft_nms|nms_match|nms_rotated|nms_quadri)")
_OWN_WORDS = ("dilation", "offset", "conv", "interpolation_conv", "last_conv")
"""Types that mmdet's CascadeRPN and FPG look up in dictionaries of their own."""
_NAMES_A_FILE_OR_CALL = re.compile(r"[()\\/]|\.(?:pkl|pickle|pth|pt|py|json|ya?ml|npy|npz)$")


@dataclass(frozen=True)
class Kind:
    """What may stand in one part of a config.

    Attributes:
        name: the word for it in messages.
        registries: names of mmengine's root registries whose classes fit.
        bases: dotted names of the classes whose subclasses fit.
        registered_by: the module that fills the root registries when it is imported.
    """

    name: str
    registries: tuple[str, ...]
    bases: tuple[str, ...]
    registered_by: str


MODEL = Kind("part of a model", ("MODELS", "TASK_UTILS"), ("torch.nn.Module",), "mmcv.cnn")
TRANSFORM = Kind(
    "transform",
    ("TRANSFORMS",),
    ("mmcv.transforms.BaseTransform", "torchvision.transforms.v2.Transform"),
    "mmcv.transforms",
)


def check_buildable(
    node: Any, kind: Kind, *, where: str, scope: str, trusted_modules: tuple[str, ...] = ()
) -> Any:
    """Return a copy of `node` that is safe to build; dotted `type` names become their classes.

    Args:
        where: path of `node` in its config, for messages.
        scope: registry scope in which short names are looked up.
        trusted_modules: modules or packages of the user's whose classes may be built, too.

    Raises:
        UserError: a `type` is not of this kind, or an argument is more than a plain value.
    """
    for module in (kind.registered_by, *trusted_modules):
        importlib.import_module(module)
    return _Checker(kind, trusted_modules).check(node, where, scope)


def check_scope(scope: Any, *, where: str, trusted_modules: tuple[str, ...] = ()) -> None:
    """Refuse a registry scope, which mmengine would import, outside the packages known here."""
    scopes = _scopes(trusted_modules)
    if scope not in scopes:
        raise UserError(
            f"{where}={scope!r} in the checkpoint's config is none of {', '.join(scopes)}; "
            "name its package as trusted if you know the checkpoint's source"
        )


def _scopes(trusted_modules: tuple[str, ...]) -> tuple[str, ...]:
    return (*_SCOPES, *(module.partition(".")[0] for module in trusted_modules))


class _Checker:
    def __init__(self, kind: Kind, trusted_modules: tuple[str, ...]) -> None:
        self._kind = kind
        self._trusted = trusted_modules
        self._bases = tuple(map(_import, kind.bases))
        self._registries = [getattr(mmengine_registry, name) for name in kind.registries]

    def check(self, node: Any, where: str, scope: str) -> Any:
        if isinstance(node, dict):
            return self._check_dict(node, where, scope)
        if isinstance(node, list | tuple | set):
            return type(node)(
                self.check(item, f"{where}[{index}]", scope) for index, item in enumerate(node)
            )
        if isinstance(node, str):
            self._check_text(node, where, scope)
        elif not isinstance(node, int | float | None):
            raise self._refusal(node, where)
        return node

    def _check_dict(self, node: dict, where: str, scope: str) -> ConfigDict:
        if "_scope_" in node:
            scope = node["_scope_"]
            check_scope(scope, where=f"{where}._scope_", trusted_modules=self._trusted)
        return ConfigDict(
            {
                key: self._check_type(value, f"{where}.type", scope)
                if key == "type"
                else self.check(value, f"{where}.{key}", scope)
                for key, value in node.items()
                if key not in _DROPPED
            }
        )

    def _check_type(self, name: Any, where: str, scope: str) -> str | type:
        """Return `name` itself if it is a registered one, else the class that it names."""
        if not isinstance(name, str):
            raise self._refusal(name, where)
        nms = _NMS.fullmatch(name)
        if nms and "nms" in where.split(".")[-2]:
            return nms[1]  # mmcv evaluates this name, among its own functions
        if name in _OWN_WORDS or self._is_registered(name, scope):
            return name
        found = self._resolve(name)
        if found is None:
            raise self._refusal(name, where)
        return found

    def _check_text(self, text: str, where: str, scope: str) -> None:
        """An argument may reach `eval`, a file reader or another `build`: only words pass."""
        if _NAMES_A_FILE_OR_CALL.search(text):
            raise self._refusal(text, where)
        if (
            _is_importable(text)
            and not self._is_registered(text, scope)
            and self._resolve(text) is None
        ):
            raise self._refusal(text, where)

    def _is_registered(self, name: str, scope: str) -> bool:
        """Whether mmengine finds a class of this kind under `name` without importing by name."""
        prefix, _, short_name = name.rpartition(".")
        if prefix and prefix not in _scopes(self._trusted):
            return False
        return any(
            inspect.isclass(_find(root, short_name, prefix or scope)) for root in self._registries
        )

    def _resolve(self, name: str) -> type | None:
        """The class of this kind that a dotted name (or a name of `mmcv.ops`) stands for."""
        module_name, _, class_name = name.rpartition(".")
        module_name = module_name or "mmcv.ops"  # where mmdet looks up RoI layers
        allowed = (*_MODULES, *self._trusted)
        if not _is_within(module_name, allowed) or re.search(r"(?:^|\.)_", name):
            return None
        try:
            found = getattr(importlib.import_module(module_name), class_name, None)
        except ImportError:
            return None
        if not inspect.isclass(found) or not _is_within(found.__module__, allowed):
            return None
        if issubclass(found, self._bases) or any(_holds(root, found) for root in self._registries):
            return found
        return None

    def _refusal(self, value: Any, where: str) -> UserError:
        return UserError(
            f"{where}={value!r} in the checkpoint's config is not a {self._kind.name}, so nothing "
            "was built; name its module as trusted if you know the checkpoint's source"
        )


def _import(name: str) -> type:
    module, _, class_name = name.rpartition(".")
    return getattr(importlib.import_module(module), class_name)


def _is_within(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def _is_importable(text: str) -> bool:
    """Whether `text` is a dotted name that starts with a module found on this machine."""
    parts = text.split(".")
    if len(parts) == 1 or not all(part.isidentifier() for part in parts):
        return False
    return parts[0] in sys.modules or find_spec(parts[0]) is not None


def _find(root: Registry, name: str, scope: str) -> Any:
    """Look up as `Registry.get` does, which would go on to import what it does not find."""
    try:
        importlib.import_module(f"{scope}.registry")
    except ImportError:  # a scope without registries of its own
        return None
    registry = root._search_child(scope)
    while registry is not None:
        registry.import_from_location()
        if name in registry.module_dict:
            return registry.module_dict[name]
        registry = registry.parent
    return None


def _holds(registry: Registry, found: type) -> bool:
    """Whether the class is registered here or in a child, under whatever name."""
    return found in registry.module_dict.values() or any(
        _holds(child, found) for child in registry.children.values()
    )
