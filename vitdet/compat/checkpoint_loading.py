"""Loads a checkpoint as data: weights, numbers and text, never code.

Breaks: mmengine (<= 0.10) loads local files with torch's default, which since torch 2.6 refuses its
own checkpoints (`Weights only load failed ... HistoryBuffer`); what it downloads it unpickles
without any restraint, so a URL may run code; and `Runner.resume` executes the config text of files
from before mmengine. Every door of mmengine that reads a file or URL goes through here instead.
Delete when mmengine loads `weights_only` by itself and no longer executes embedded configs.
"""

import os
import re
from pathlib import Path
from pickle import UnpicklingError
from types import ModuleType
from typing import Any

from vitdet.compat.checkpoint_pickle import ALLOWED_GLOBALS, replace_stand_ins
from vitdet.compat.hooks import replace_everywhere, when_imported
from vitdet.compat.npz_format import read_npz
from vitdet.compat.safetensors_format import read_safetensors
from vitdet.compat.zip_bombs import refuse_bomb
from vitdet.errors import UserError

_LONGEST_MESSAGE = 1000  # characters
_READERS = {".safetensors": read_safetensors, ".npz": read_npz}


def load_checkpoint_file(path: str | Path, map_location: Any = "cpu") -> dict:
    """Read a file of `torch.save` (zip or legacy), a `.safetensors` or an `.npz` file.

    Raises:
        UserError: the file is missing, truncated, no checkpoint, or holds pickled code.
    """
    path = Path(path).expanduser()
    if not os.path.isfile(path):
        raise UserError(f"{path}: no such checkpoint file; check the path")
    if path.suffix in _READERS:
        content = _READERS[path.suffix](path)
        is_published = isinstance(content.get("state_dict"), dict)
        state = content["state_dict"] if is_published else content
        state = {name: tensor.to(map_location or "cpu") for name, tensor in state.items()}
        return {**content, "state_dict": state} if is_published else state
    checkpoint = _unpickle(path, map_location or "cpu")
    if not isinstance(checkpoint, dict):
        kind = type(checkpoint).__name__
        raise UserError(f"{path}: holds a {kind}, not a dict of weights; save a state_dict instead")
    return _without_executable_config(checkpoint)


def download_checkpoint(
    url: str, *, folder: str | Path | None = None, progress: bool = True
) -> Path:
    """Return the local copy of `url`, downloaded on first use into torch.hub's cache.

    The copy lies in a folder named after the URL, for many published files share one name
    (`model.safetensors`) and torch.hub would return one for another. `url#sha256=...` states what
    the file must be; see `vitdet.compat.downloads`.

    Raises:
        UserError: the address cannot be read, or the file is not what was announced.
    """
    import hashlib
    from urllib.parse import urlparse

    import torch

    from vitdet.compat.downloads import download_file  # its network modules take time to import

    folder = Path(folder or Path(torch.hub.get_dir(), "checkpoints"))
    name = Path(urlparse(url).path).name or "checkpoint"
    copy = folder / hashlib.sha256(url.encode()).hexdigest()[:8] / name
    return copy if copy.is_file() else download_file(url, copy, progress=progress)


class _ShortUnpicklingError(UnpicklingError):
    """torch searches the message for patterns in a time that grows with the square of its length;
    a damaged file can make it as long as itself."""

    def __str__(self) -> str:
        return super().__str__()[:_LONGEST_MESSAGE]


def _unpickle(path: Path, map_location: Any) -> Any:
    import torch
    from torch import _weights_only_unpickler

    refuse_bomb(path)
    _weights_only_unpickler.UnpicklingError = _ShortUnpicklingError
    try:
        with torch.serialization.safe_globals(ALLOWED_GLOBALS):
            checkpoint = torch.load(path, map_location=map_location, weights_only=True)
        return replace_stand_ins(checkpoint)
    except torch.OutOfMemoryError:
        raise
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except MemoryError as error:
        raise UserError(f"{path}: takes more memory than there is; is it a checkpoint?") from error
    except Exception as error:  # a damaged pickle can fail in any way
        if "deserialize object on" in str(error):  # the device that was asked for is not there
            raise
        refused = isinstance(error, UnpicklingError) and re.search(
            r"GLOBAL (\S{1,100})", str(error)
        )
        if refused:
            raise UserError(
                f"{path}: refused, because it holds pickled code ({refused[1]}) besides weights "
                "and data; save its state_dict alone, or get it from who publishes plain weights"
            ) from error
        raise UserError(
            f"{path}: truncated, or not a checkpoint ({type(error).__name__}); "
            "delete it, then download or copy it again"
        ) from error


def _without_executable_config(checkpoint: dict) -> dict:
    """Move the config text of mmcv 1 to mmengine's key: `Runner.resume` would execute it."""
    meta = checkpoint.get("meta")
    if isinstance(meta, dict) and "config" in meta:
        meta.setdefault("cfg", meta.pop("config"))
    return checkpoint


def load_from_local(filename: str, map_location: Any = None) -> dict:
    return load_checkpoint_file(filename, map_location)


def _load_url(
    url: str,
    model_dir: str | None = None,
    map_location: Any = None,
    progress: bool = True,
) -> dict:
    path = download_checkpoint(url, folder=model_dir, progress=progress)
    return load_checkpoint_file(path, map_location)


def _patch_doors(checkpoint_module: ModuleType) -> None:
    replace_everywhere(checkpoint_module, "load_from_local", load_from_local)
    checkpoint_module.CheckpointLoader.register_scheme("", load_from_local, force=True)
    checkpoint_module.load_url = _load_url


def _patch_inferencer(infer_module: ModuleType) -> None:
    """`Inferencer(weights=...)` without a config would execute the one inside the file."""
    original = infer_module.BaseInferencer._init_model

    def init_model(self: Any, cfg: Any, weights: str | None, device: str = "cpu") -> Any:
        if not cfg:
            raise UserError(
                f"{weights}: mmengine's inferencers execute the config inside a checkpoint; "
                "give them the config file, or use vitdet.Predictor, which reads it as data"
            )
        return original(self, cfg, weights, device)

    infer_module.BaseInferencer._init_model = init_model


def install() -> None:
    """Register the patches of `mmengine.runner.checkpoint` and `mmengine.infer.infer`."""
    when_imported("mmengine.runner.checkpoint", _patch_doors)
    when_imported("mmengine.infer.infer", _patch_inferencer)
