"""The folder for what can be made anew: `$VITDET_CACHE`, else `~/.cache/vitdet`."""

import os
import tempfile
from pathlib import Path


def cache_folder() -> Path:
    stated = os.environ.get("VITDET_CACHE")
    return Path(stated) if stated else Path.home() / ".cache" / "vitdet"


def write_whole(file: Path, content: bytes) -> None:
    """Write a file, and its folder, so that it is there whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as temporary:
        temporary.write(content)
    os.replace(temporary.name, file)
