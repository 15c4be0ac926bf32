"""The configs that mmdet and mmseg install with themselves, by name: `mmdet::retinanet/...`."""

import difflib
import functools
import importlib.util
from collections.abc import Sequence
from pathlib import Path

from vitdet.errors import UserError

LIBRARIES = ("mmdet", "mmseg")


@functools.cache
def zoo_names(library: str) -> tuple[str, ...]:
    """Names of all configs that `library` ships, sorted: `mmdet::dino/dino-4scale_...`.

    Files below `_base_` are parts that configs inherit; they are not listed.
    """
    folder = zoo_folder(library)
    paths = (path.relative_to(folder) for path in folder.rglob("*.py"))
    names = (path.with_suffix("").as_posix() for path in paths if "_base_" not in path.parts)
    return tuple(sorted(f"{library}::{name}" for name in names))


def find_zoo_config(name: str) -> Path:
    """Path of a config given as `LIBRARY::FOLDER/NAME`, with or without `.py`.

    Raises:
        UserError: there is no such library or config; the nearest names are offered.
    """
    library, _, inside = name.partition("::")
    if library not in LIBRARIES:
        raise UserError(f"config {name}: {library} is none of {', '.join(LIBRARIES)}")
    path = zoo_folder(library) / f"{inside.removesuffix('.py')}.py"
    if path.is_file():
        return path
    nearest = _nearest(inside.removesuffix(".py"), zoo_names(library))
    hint = f"did you mean {' or '.join(nearest)}?" if nearest else f"see: zoo.py list {library}"
    raise UserError(f"config {name} does not exist; {hint}")


def zoo_folder(library: str) -> Path:
    """Folder of the configs in the installed `library`, found without importing it."""
    spec = importlib.util.find_spec(library)
    if spec is None or spec.origin is None:
        raise UserError(f"{library} is not installed")
    folder = Path(spec.origin).parent / ".mim" / "configs"
    if not folder.is_dir():
        raise UserError(f"{library} is installed without its configs ({folder} is not there)")
    return folder


def _nearest(inside: str, names: Sequence[str]) -> list[str]:
    """Up to three names whose last part is like that of `inside`."""
    by_stem = {name.rpartition("/")[2]: name for name in names}
    stems = difflib.get_close_matches(inside.rpartition("/")[2], by_stem, n=3, cutoff=0.5)
    return [by_stem[stem] for stem in stems]
