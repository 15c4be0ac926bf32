"""Names of classes that lie beside label files of numbers: one a line, or in a `data.yaml`."""

from collections.abc import Iterable
from pathlib import Path

from vitdet.datasets.formats.folder_tree import FolderTree
from vitdet.datasets.formats.untrusted_files import read_lines
from vitdet.errors import UserError


def is_class_list(name: str) -> bool:
    """Whether a file is called as labelImg, darknet or CVAT call their lists."""
    file = name.rpartition("/")[2].lower()
    return file in ("classes.txt", "labels.txt") or file.endswith(".names")


def read_class_lists(tree: FolderTree) -> dict[str, list[str]]:
    """File -> its names, of every list in the tree; of a folder of labels alone also beside it.

    Raises UserError if one cannot be read or has a name twice.
    """
    files = [name for name in tree.labels if is_class_list(name)]
    files = files or [p.name for p in tree.root.iterdir() if p.is_file() and is_class_list(p.name)]
    return {file: _read_names(tree.root / file) for file in sorted(files)}


def one_list(root: Path, lists: dict[str, list[str]]) -> list[str]:
    """The names that all files agree on; empty if there are none.

    Raises UserError if two differ: numbers would change their meaning from file to file.
    """
    distinct = {tuple(names): file for file, names in lists.items() if names}
    if len(distinct) > 1:
        one, two = sorted(distinct.values())[:2]
        raise UserError(f"{root} has lists of classes that differ: {one} and {two}; keep one")
    return list(next(iter(distinct), ()))


def check_distinct(names: Iterable[str], path: Path) -> None:
    """Raises UserError if a name is there twice: two numbers would be one class."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UserError(f"{path} names the class {name!r} twice: rename or remove one")
        seen.add(name)


def _read_names(path: Path) -> list[str]:
    lines = read_lines(path)
    while lines and not lines[-1].strip():
        lines.pop()
    # An empty line within holds the place of a class that has no name.
    names = [line.strip() or f"class {number}" for number, line in enumerate(lines)]
    check_distinct(names, path)
    return names
