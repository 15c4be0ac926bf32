"""Reads `.npz` files of numpy arrays, in which JAX code (ViT's authors') publishes weights.

Breaks: mmengine reads pickles only.
Delete when mmengine reads the format itself.
"""

import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from vitdet.compat.zip_bombs import refuse_bomb
from vitdet.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor


def read_npz(path: Path) -> "dict[str, Tensor]":
    """Return every array of the file by name, on the CPU; pickled objects are refused.

    Raises:
        UserError: the file is truncated, no `.npz` file, or holds more than arrays of numbers.
    """
    import numpy as np
    import torch

    refuse_bomb(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: torch.from_numpy(archive[name]) for name in archive.files}
    except (zipfile.BadZipFile, zlib.error) as error:
        raise UserError(
            f"{path}: truncated, or not an .npz file ({error}); "
            "delete it, then download or copy it again"
        ) from error
    except Exception as error:  # a damaged header can fail in any way
        why = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"{path}: holds more than arrays of numbers, or is no .npz file ({why[:200]}); "
            "get it from who publishes plain weights"
        ) from error
