"""Reads `.safetensors` files, the layout in which transformers and timm publish weights.

Breaks: mmengine reads pickles only, and the `safetensors` package is not among its dependencies.
The format is a length, a json table and raw bytes, so one small reader serves every door.
Delete when mmengine reads the format itself.
"""

import json
import math
import struct
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from vitdet.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}
_MAX_HEADER_BYTES = 100_000_000  # the limit that the format's specification sets


def read_safetensors(path: Path) -> "dict[str, Tensor]":
    """Return every tensor of the file by name, on the CPU.

    Raises:
        UserError: the file is truncated, or is no safetensors file.
    """
    try:
        with path.open("rb") as file:
            (header_bytes,) = struct.unpack("<Q", file.read(8))
            data_bytes = path.stat().st_size - 8 - header_bytes
            if data_bytes < 0 or header_bytes > _MAX_HEADER_BYTES:
                raise ValueError(f"its header claims {header_bytes} bytes")
            table = json.loads(file.read(header_bytes))
            table.pop("__metadata__", None)
            return {
                name: _read_tensor(file, 8 + header_bytes, data_bytes, **entry)
                for name, entry in table.items()
            }
    except (struct.error, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            f"{path}: truncated, or not a safetensors file ({error}); "
            "delete it, then download or copy it again"
        ) from error


def _read_tensor(
    file: BinaryIO,
    data_start: int,
    data_bytes: int,
    *,
    dtype: str,
    shape: list[int],
    data_offsets: list[int],
) -> "Tensor":
    import torch

    begin, end = data_offsets
    torch_dtype = getattr(torch, _DTYPES[dtype])
    if min(shape, default=0) < 0 or math.prod(shape) * torch_dtype.itemsize != end - begin:
        raise ValueError(f"a tensor of shape {shape} does not take {end - begin} bytes")
    if not 0 <= begin <= end <= data_bytes:
        raise ValueError(f"bytes {begin} to {end} lie outside the data of {data_bytes} bytes")
    if begin == end:
        return torch.empty(shape, dtype=torch_dtype)
    buffer = bytearray(end - begin)
    file.seek(data_start + begin)
    file.readinto(buffer)
    return torch.frombuffer(buffer, dtype=torch_dtype).reshape(shape)
