"""Checkpoint files: read from a path or URL as data, written so that the last good one survives."""

from pathlib import Path
from typing import Any

from vitdet.compat.checkpoint_saving import save_checkpoint_file


def read_checkpoint(path_or_url: str | Path, *, map_location: Any = "cpu") -> dict:
    """Return the checkpoint's dict; nothing in the file is executed.

    Reads what `torch.save` wrote (zip or legacy), `.safetensors`, `.npz`, `http(s)://` (downloaded
    on first use) and mmengine's schemes such as `torchvision://resnet50`.

    Raises:
        UserError: the file is missing, truncated, no checkpoint, or holds pickled code.
    """
    from mmengine.runner.checkpoint import CheckpointLoader

    return CheckpointLoader.load_checkpoint(str(path_or_url), map_location, logger="silent")


def write_checkpoint(checkpoint: dict, path: str | Path) -> None:
    """Write `checkpoint` to `path`, whole or not at all.

    Raises:
        UserError: there is no room, or no permission; what stood at `path` is untouched.
    """
    save_checkpoint_file(checkpoint, path)
