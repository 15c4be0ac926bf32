"""What class a config node names, and what arguments that class takes."""

import contextlib
import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from mmengine import registry as mmengine_registry
from mmengine.registry import Registry

from vitdet.errors import UserError

_ROOT_REGISTRIES = [
    value for value in vars(mmengine_registry).values() if isinstance(value, Registry)
]


def class_of(node: Mapping[str, Any], scope: str) -> Any | None:
    """The class or function that `node["type"]` names, or None if the node has no such type.

    `scope` is the config's default scope, used for names in text such as `"MaskRCNN"`.

    Raises:
        UserError: a class imported by a pure-Python config does not exist.
    """
    try:
        named = node.get("type")  # builds the object that a pure-Python config only names
    except ImportError as error:
        raise UserError(f"config: {' '.join(str(error).split())}") from error
    if not isinstance(named, str):
        return named
    with contextlib.suppress(ImportError):
        importlib.import_module(f"{scope}.registry")  # makes the scope's registries known
    for registry in _ROOT_REGISTRIES:
        found = registry.children.get(scope, registry).get(named)
        if found is not None:
            return found
    return None


def parameters_of(cls: Any) -> dict[str, inspect.Parameter]:
    """Named parameters of a class or function, following `**kwargs` into its base classes."""
    if not inspect.isclass(cls):
        return dict(inspect.signature(cls).parameters)
    parameters: dict[str, inspect.Parameter] = {}
    for base in cls.__mro__:
        if "__init__" not in vars(base):
            continue
        own = inspect.signature(base.__init__).parameters
        for name, parameter in own.items():
            if name != "self" and parameter.kind not in (
                parameter.VAR_KEYWORD,
                parameter.VAR_POSITIONAL,
            ):
                parameters.setdefault(name, parameter)
        if not any(p.kind is p.VAR_KEYWORD for p in own.values()):
            break
    return parameters


def takes_any_keyword(cls: Any) -> bool:
    """Whether no list of names can say what `cls` accepts (`**kwargs` down to the last base)."""
    functions = (
        [
            vars(base)["__init__"]
            for base in cls.__mro__
            if "__init__" in vars(base) and base is not object
        ]
        if inspect.isclass(cls)
        else [cls]
    )
    return all(
        any(p.kind is p.VAR_KEYWORD for p in inspect.signature(function).parameters.values())
        for function in functions
    )
