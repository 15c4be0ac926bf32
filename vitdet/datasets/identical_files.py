"""Files with the same bytes, found without reading all of the others."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

_TAIL = 4096  # bytes at the end of a picture, which tell nearly all of one length apart


def groups_of_identical(paths: Sequence[Path]) -> list[int]:
    """For each path the place of the first one whose file has the same bytes.

    What is no file, or cannot be read, has no equal. Lengths are compared first, then the ends of
    files, and only what still looks the same is read whole.
    """
    first_of = list(range(len(paths)))
    for same_length in _alike(range(len(paths)), lambda k: _length(paths[k])):
        for same_end in _alike(same_length, lambda k: _end(paths[k])):
            for same in _alike(same_end, lambda k: _digest(paths[k])):
                for k in same:
                    first_of[k] = same[0]
    return first_of


def _alike(places: Sequence[int], key: Callable[[int], Hashable]) -> list[list[int]]:
    """Those of which several have one key."""
    found = defaultdict(list)
    for k in places:
        try:
            found[key(k)].append(k)
        except (OSError, ValueError):  # a name may hold what no path can
            continue
    return [same for same in found.values() if len(same) > 1]


def _length(path: Path) -> int:
    if not path.is_file():  # to read a pipe or a device may take for ever
        raise FileNotFoundError(path)
    return path.stat().st_size


def _end(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - _TAIL, 0))
        return file.read(_TAIL)


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").digest()
