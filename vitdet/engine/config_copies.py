"""Changes of a config that reach nothing, since what it inherits is copied.

In a base config `train_pipeline` and `train_dataloader.dataset.pipeline` are one list. mmengine
copies both, each for itself, into the config that inherits them, in either style: whoever changes
the first there changes nothing that is read.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.utils import get_installed_path

from vitdet.engine.config_options import TOP_LEVEL_KEYS


def changes_without_effect(
    path: Path, config: Config, *, find_base: Callable[[str], Path]
) -> list[str]:
    """One line for each helper variable that the file at `path` changes in vain.

    That is: a base has it and uses it as it is, and `config`, which was read from the file, still
    has the base's value there and the new one nowhere.

    Args:
        path: of the file.
        config: as it was read, before anything was completed.
        find_base: finds what `_base_` names as LIBRARY::NAME.
    """
    if path.suffix != ".py":
        return []
    tree = ast.parse(path.read_text(encoding="utf-8"))
    lines = _lines_of_names(tree)
    names = [name for name in lines if name in config and name not in TOP_LEVEL_KEYS]
    if not names:
        return []
    ours = config.to_dict(keep_imported=True)
    found = {}
    for base_path in _base_paths(tree, path, find_base):
        base = Config.fromfile(base_path).to_dict(keep_imported=True)
        for name in names:
            if name not in base or ours[name] == base[name] or _places(name, ours[name], ours):
                continue
            stale = _places(name, base[name], base) & _places(name, base[name], ours)
            if stale:
                found[name] = (
                    f"config {path}, line {lines[name]}: changing {name} has no effect, as what a "
                    f"config inherits is copied; set {', '.join(sorted(stale))} instead"
                )
    return [found[name] for name in names if name in found]


def _lines_of_names(tree: ast.Module) -> dict[str, int]:
    """The line on which each variable is first mentioned, by name, in order."""
    mentioned = [(node.lineno, node.id) for node in ast.walk(tree) if isinstance(node, ast.Name)]
    lines: dict[str, int] = {}
    for line, name in sorted(mentioned):
        lines.setdefault(name, line)
    return lines


def _base_paths(tree: ast.Module, path: Path, find_base: Callable[[str], Path]) -> Iterator[Path]:
    """Files that the one at `path` inherits from directly, but those that are not where it says."""
    for node in tree.body:
        if isinstance(node, ast.With) and ast.unparse(node.items[0]) == "read_base()":
            paths = [_path_of_module(one, path.parent) for one in node.body]
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_base_":
            named = [one.value for one in ast.walk(node.value) if isinstance(one, ast.Constant)]
            paths = [find_base(name) if "::" in name else path.parent / name for name in named]
        else:
            continue
        yield from filter(Path.is_file, paths)


def _path_of_module(statement: ast.ImportFrom, folder: Path) -> Path:
    *parents, name = statement.module.split(".")
    if statement.level == 0:
        package, *parents = parents
        folder = Path(get_installed_path(package))
    return folder.joinpath(*[".."] * (statement.level - 1), *parents, f"{name}.py")


def _places(name: str, value: Any, config: Mapping[str, Any]) -> set[str]:
    """Dotted keys at which the runner's part of a config has the value.

    A number or a text counts only where the key is the variable's name.
    """

    def search(node: Any, keys: tuple[str, ...]) -> Iterator[str]:
        if node == value and (isinstance(value, dict | list) or keys[-1] == name):
            yield ".".join(keys)
        elif isinstance(node, Mapping | list | tuple):
            items = node.items() if isinstance(node, Mapping) else enumerate(node)
            for key, one in items:
                yield from search(one, (*keys, str(key)))

    return {
        place for key in config.keys() & TOP_LEVEL_KEYS for place in search(config[key], (key,))
    }
