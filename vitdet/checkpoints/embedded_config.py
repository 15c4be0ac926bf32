"""The config inside a checkpoint: read as data, never executed.

mmengine saves the text of the whole config in `meta["cfg"]`, and its own way back is to execute
that text and to build whatever its `type` entries name. Both would hand the machine to whoever
wrote the file. Here the text is parsed, and what is taken from it to be built is checked first
(`buildable.py`); everything else in it stays text and numbers.
"""

import ast
import math
from typing import Any

from mmengine.config import Config, ConfigDict

from vitdet.checkpoints.buildable import MODEL, TRANSFORM, check_buildable, check_scope
from vitdet.errors import UserError

_CONSTANTS = {"inf": math.inf, "nan": math.nan}  # how mmengine writes these floats


def parse_config(text: str) -> Config:
    """Parse assignments of literals and `dict(...)`, all that mmengine's `pretty_text` contains.

    Raises:
        UserError: the text holds anything else, named with its line.
    """
    try:
        statements = ast.parse(text).body
        values = dict(map(_assignment, statements))
        return Config(values)
    except UserError:
        raise
    except (SyntaxError, ValueError, TypeError, KeyError, RecursionError, MemoryError) as error:
        where = f"line {error.lineno}: " if isinstance(error, SyntaxError) else ""
        raise UserError(
            f"the config inside the checkpoint is unreadable ({where}{error}); give the config file"
        ) from error


def embedded_config(checkpoint: dict) -> Config:
    """Return the config that travels in a checkpoint of ours or of mmengine's.

    Raises:
        UserError: there is none, or it is more than data.
    """
    meta = checkpoint.get("meta")
    text = meta.get("cfg") if isinstance(meta, dict) else None
    if not isinstance(text, str):
        raise UserError(
            "the checkpoint carries no config, only weights; give the config file it belongs to"
        )
    return parse_config(text)


def embedded_model(config: Config, *, trusted_modules: tuple[str, ...] = ()) -> ConfigDict:
    """Return `config.model`, ready for `MODELS.build` under the scope `embedded_scope` returns.

    Entries that name other weights (`init_cfg`, `pretrained`) are gone: the checkpoint's own
    weights are what the model gets.

    Args:
        trusted_modules: modules or packages of the user's whose classes may be built, too.

    Raises:
        UserError: the model is missing, or something in it is not a part of a model.
    """
    if not isinstance(config.get("model"), dict):
        raise UserError("the config inside the checkpoint has no model; give the config file")
    return check_buildable(
        config.model,
        MODEL,
        where="model",
        scope=embedded_scope(config, trusted_modules=trusted_modules),
        trusted_modules=trusted_modules,
    )


def embedded_test_pipeline(
    config: Config, *, trusted_modules: tuple[str, ...] = ()
) -> list[ConfigDict]:
    """Return the transforms of the test data, or those of the validation data.

    Raises:
        UserError: there are none, or one of them is not a transform.
    """
    for loader in ("test_dataloader", "val_dataloader"):
        dataset = _innermost_dataset(config.get(loader))
        if "pipeline" in dataset:
            return check_buildable(
                dataset.pipeline,
                TRANSFORM,
                where=f"{loader}.dataset.pipeline",
                scope=embedded_scope(config, trusted_modules=trusted_modules),
                trusted_modules=trusted_modules,
            )
    raise UserError("the config inside the checkpoint has no test data; give the config file")


def _innermost_dataset(loader: Any) -> dict:
    """The data set of a loader, in whatever it is wrapped; empty where there is none."""
    node = loader.get("dataset") if isinstance(loader, dict) else None
    while isinstance(node, dict) and "pipeline" not in node:
        node = node.get("dataset", node.get("datasets"))
        node = node[0] if isinstance(node, list) and node else node
    return node if isinstance(node, dict) else {}


def embedded_scope(config: Config, *, trusted_modules: tuple[str, ...] = ()) -> str:
    """Return the registry scope under which the model's short type names are looked up.

    Raises:
        UserError: it names a package that is neither ours, nor OpenMMLab's, nor trusted.
    """
    scope = config.get("default_scope") or "mmengine"
    check_scope(scope, where="default_scope", trusted_modules=trusted_modules)
    return scope


def _assignment(statement: ast.stmt) -> tuple[str, Any]:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, _value(value)
    raise _refusal(statement)


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(
            value=str() | int() | float() | None as value
        ):  # not bytes: eval runs them
            return value
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_number(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _number(operand)
        case ast.List(elts=elements):
            return [_value(element) for element in elements]
        case ast.Tuple(elts=elements):
            return tuple(_value(element) for element in elements)
        case ast.Set(elts=elements):
            return {_value(element) for element in elements}
        case ast.Dict(keys=keys, values=values):
            return _mapping(zip(keys, values, strict=True))
        case ast.Call(func=ast.Name(id="dict"), args=[] | [ast.Dict()] as literal, keywords=words):
            merged = [(None, part) for part in literal]
            named = [(word.arg and ast.Constant(word.arg), word.value) for word in words]
            return _mapping(merged + named)
        case ast.Call(func=ast.Name(id="float"), args=[ast.Constant(value=str(text))], keywords=[]):
            return float(text)
    raise _refusal(node)


def _number(node: ast.expr) -> float:
    value = _value(node)
    if type(value) not in (int, float):
        raise _refusal(node)
    return value


def _mapping(items: Any) -> dict:
    """Entries in order; one without a key is `**{...}`."""
    result: dict = {}
    for key, value in items:
        if key is None:
            result.update(_value(value))
        else:
            result[_value(key)] = _value(value)
    return result


def _refusal(node: ast.AST) -> UserError:
    construct = " ".join(ast.unparse(node).split())
    shortened = construct if len(construct) <= 60 else construct[:57] + "..."
    return UserError(
        f"line {node.lineno} of the config inside the checkpoint is code, not data ({shortened}); "
        "nothing of it was run; give the config file if you trust where the checkpoint comes from"
    )
