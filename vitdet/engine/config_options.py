"""Apply `--cfg-options key=value …`, refusing keys that nothing would read.

mmengine merges any key into a config, so `modle.x=1` or a changed helper variable has no effect and
no message. Here a key must name something in the config, or a parameter of the class at its node.
"""

import difflib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from vitdet.datasets.coco_files import some
from vitdet.engine.config_types import class_of, parameters_of, takes_any_keyword
from vitdet.errors import UserError

# Keys that are no arguments of the runner, but that the runner or mmdet's tools read.
_OTHER_KEYS = {
    "activation_checkpointing", "compile", "custom_imports", "efficient_conv_bn_eval",
    "find_unused_parameters", "model_wrapper_cfg", "sync_bn", "tta_model", "tta_pipeline",
}  # fmt: skip
# What is built of nodes that name no class.
_BUILT_AS = {f"{part}_dataloader": DataLoader for part in ("train", "val", "test")}
TOP_LEVEL_KEYS = (set(inspect.signature(Runner).parameters) - {"cfg"}) | _OTHER_KEYS


def apply_options(config: Config, options: Mapping[str, Any]) -> None:
    """Merge dotted `options` (`model.backbone.arch`: "small") into `config`, in place.

    Raises:
        UserError: a key that is neither in the config nor a parameter of the class at that node;
            a text that spells out a group of settings.
    """
    for key, value in options.items():
        _check_key(config, key)
        if isinstance(value, str) and value.replace(" ", "").startswith(("dict(", "{")):
            raise UserError(
                f"--cfg-options {key}={value}: a group of settings is set entry by entry, as in "
                f"{key}.NAME=VALUE"
            )
    try:
        config.merge_from_dict(dict(options))
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        why = " ".join(str(error).split())
        raise UserError(f"--cfg-options {some(options)}: {why[:300]}") from error


def _check_key(config: Config, key: str) -> None:
    scope = config.get("default_scope") or "mmengine"
    first, *rest = key.split(".")
    if first not in TOP_LEVEL_KEYS:
        if first in config:
            raise UserError(
                f"--cfg-options {key}: {first} is a helper variable of the config file, changing "
                "it has no effect; set the place that uses it (for a pipeline: "
                "train_dataloader.dataset.pipeline)"
            )
        raise UserError(
            f"--cfg-options {key}: no such key {first}{_nearest(first, TOP_LEVEL_KEYS)}"
        )
    if first not in config:
        return  # an argument of the runner that the config leaves at its default
    node: Any = config[first]
    passed = first
    for name in rest:
        if isinstance(node, Mapping):
            if name not in node:
                _check_new_key(node, name, passed, key, scope)
                return
            node = node[name]
        elif isinstance(node, Sequence) and not isinstance(node, str):
            if not name.isdecimal() or int(name[:9]) >= len(node):
                raise UserError(
                    f"--cfg-options {key}: {passed} is a list of {len(node)}, so {name} must be a "
                    f"number from 0 to {len(node) - 1}"
                )
            node = node[int(name)]
        elif node is None:
            return  # an argument that was None becomes a dict
        else:
            raise UserError(f"--cfg-options {key}: {passed} is {node!r} and has no {name}")
        passed = f"{passed}.{name}"


def _check_new_key(node: Mapping[str, Any], name: str, passed: str, key: str, scope: str) -> None:
    """A key that the config leaves out must be a parameter of the class at its node."""
    if name in ("_delete_", "type"):
        return
    cls = _BUILT_AS.get(passed) or class_of(node, scope)
    if cls is None:
        known = set(node)
        if not known:
            return
        raise UserError(f"--cfg-options {key}: {passed} has no {name}{_nearest(name, known)}")
    known = set(parameters_of(cls)) | set(node)
    if name not in known and not takes_any_keyword(cls):
        raise UserError(
            f"--cfg-options {key}: {cls.__name__} at {passed} has no {name}{_nearest(name, known)}"
        )


def _nearest(name: str, known: set[str]) -> str:
    nearest = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.5)
    return (
        f"; did you mean {', '.join(nearest)}?"
        if nearest
        else f"; known: {', '.join(sorted(known))}"
    )
