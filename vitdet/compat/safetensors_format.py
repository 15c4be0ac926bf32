"""Reads and writes `.safetensors`, the layout in which transformers and timm publish weights.

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
_MAX_HEADER_BYTES = 16 << 20  # hundreds of times a large model's; as objects it takes 20 times that
_MAX_SIDE = 1 << 48


_META = "vitdet"  # entry of the file's own metadata, which is text: what belongs to the weights


def read_safetensors(path: Path) -> dict:
    """Return every tensor of the file by name, on the CPU.

    Of a file that `write_safetensors` gave more, `{"state_dict": ..., "meta": ...}`.

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
            metadata = table.pop("__metadata__", None) or {}
            _check_apart(table, data_bytes)
            tensors = {
                name: _read_tensor(file, 8 + header_bytes, data_bytes, **entry)
                for name, entry in table.items()
            }
            if _META not in metadata:
                return tensors
            return {"state_dict": tensors, "meta": dict(json.loads(metadata[_META]))}
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except (struct.error, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise UserError(
            f"{path}: truncated, or not a safetensors file ({str(error)[:200]}); "
            "delete it, then download or copy it again"
        ) from error


def write_safetensors(tensors: "dict[str, Tensor]", path: Path, *, meta: dict) -> None:
    """Write tensors and, as json, what belongs to them. Raises OSError as any writing."""
    names = {dtype: code for code, dtype in _DTYPES.items()}
    table: dict[str, object] = {"__metadata__": {"format": "pt", _META: json.dumps(meta)}}
    end = 0
    for name, tensor in tensors.items():
        begin, end = end, end + tensor.numel() * tensor.element_size()
        code = names[str(tensor.dtype).removeprefix("torch.")]
        table[name] = {"dtype": code, "shape": list(tensor.shape), "data_offsets": [begin, end]}
    header = json.dumps(table).encode()
    header += b" " * (-len(header) % 8)  # so that tensors begin at multiples of 8 bytes
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for tensor in tensors.values():
            file.write(_bytes(tensor))


def _bytes(tensor: "Tensor") -> bytes:
    import torch

    flat = tensor.detach().cpu().contiguous().flatten()
    return flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""


def _check_apart(table: dict, data_bytes: int) -> None:
    """A file in which many tensors are the same bytes would fill the memory with copies."""
    total = sum(end - begin for begin, end in (entry["data_offsets"] for entry in table.values()))
    if total > data_bytes:
        raise ValueError(f"its tensors take {total} bytes of {data_bytes}")


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
    if len(shape) > 64 or not all(type(side) is int and 0 <= side < _MAX_SIDE for side in shape):
        raise ValueError(f"a tensor has {len(shape)} sides, not all of them a length")
    if math.prod(shape) * torch_dtype.itemsize != end - begin:
        raise ValueError(f"a tensor of shape {shape} does not take {end - begin} bytes")
    if not 0 <= begin <= end <= data_bytes:
        raise ValueError(f"bytes {begin} to {end} lie outside the data of {data_bytes} bytes")
    if begin == end:
        return torch.empty(shape, dtype=torch_dtype)
    buffer = bytearray(end - begin)
    file.seek(data_start + begin)
    file.readinto(buffer)
    return torch.frombuffer(buffer, dtype=torch_dtype).reshape(shape)
