"""Writes a checkpoint so that the last good one survives whatever happens.

Breaks: mmengine (<= 0.10) writes over the existing file, so a full disk or an interrupt during
`last.pth` leaves neither the old nor the new one; it also holds a second copy in memory.
Delete when mmengine writes to a temporary file and renames it.
"""

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from vitdet.compat.hooks import replace_everywhere, when_imported
from vitdet.errors import UserError


def save_checkpoint_file(checkpoint: dict, path: str | Path) -> None:
    """Write to a temporary file beside `path`, flush it to the disk and rename it.

    Raises:
        UserError: there is no room, or no permission; what stood at `path` is untouched.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_and_rename(checkpoint, path)
    except (OSError, RuntimeError) as error:
        cause = _os_error(error)
        if cause is None:
            raise
        raise UserError(
            f"{path}: cannot be written ({cause.strerror}), what stood there is untouched; "
            "free some room, or choose another work folder"
        ) from error


def _write_and_rename(checkpoint: dict, path: Path) -> None:
    import torch

    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:  # an interrupt, too, must not leave half a file behind
        temporary.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def _os_error(error: BaseException | None) -> OSError | None:
    """The operating system's error behind `error`: torch's zip writer wraps it."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


def _flush_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where folders can be opened (not on Windows)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _patch(checkpoint_module: ModuleType) -> None:
    original: Callable = checkpoint_module.save_checkpoint

    def save_checkpoint(
        checkpoint: dict,
        filename: str,
        file_client_args: dict | None = None,
        backend_args: dict | None = None,
    ) -> Any:
        if file_client_args is None and backend_args is None and "://" not in str(filename):
            return save_checkpoint_file(checkpoint, filename)
        return original(checkpoint, filename, file_client_args, backend_args)

    replace_everywhere(checkpoint_module, "save_checkpoint", save_checkpoint)


def install() -> None:
    """Register the patch of `mmengine.runner.checkpoint`."""
    when_imported("mmengine.runner.checkpoint", _patch)
