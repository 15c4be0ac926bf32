"""Checkpoint files: `torch.save`'s two layouts, safetensors and npz."""

import io
import json
import os
import pickle
import random
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from tests.fuzz.label_folder import disturbed
from tests.fuzz.mutation import mutated_bytes, mutated_tree
from tests.fuzz.reader import Hostile, Reader
from vitdet.checkpoints.files import read_checkpoint


class _Attack:
    """Unpickling it would call a function."""

    def __init__(self, function: Callable, *arguments: Any) -> None:
        self.parts = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.parts


def _sample() -> dict[str, Any]:
    buffer = HistoryBuffer([1.0, 2.0], [1, 1])
    weights = {"conv.weight": torch.arange(6.0).reshape(2, 3), "steps": torch.tensor(7)}
    meta = {"cfg": "model = dict(type='A')", "seed": 3, "numbers": np.arange(4), "iter": 5}
    return {"state_dict": weights, "meta": meta, "message_hub": {"log_scalars": {"loss": buffer}}}


@cache
def _saved(kind: str) -> bytes:
    file = io.BytesIO()
    if kind == "npz":
        np.savez(file, kernel=np.arange(6.0), bias=np.float16(3))
        return file.getvalue()
    if kind == "safetensors":
        return _safetensors(_TABLE, bytes(range(40)))
    torch.save(_sample(), file, _use_new_zipfile_serialization=kind == "zip")
    return file.getvalue()


_TABLE: dict[str, Any] = {
    "__metadata__": {"format": "pt"},
    "weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
    "half": {"dtype": "BF16", "shape": [8], "data_offsets": [24, 40]},
}


def _safetensors(table: Any, data: bytes) -> bytes:
    head = (table if isinstance(table, str) else json.dumps(table)).encode()
    return struct.pack("<Q", len(head)) + head + data


def _zipped(entries: dict[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", compression) as archive:
        warnings.simplefilter("ignore")  # a name twice
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def _entries(kind: str) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(_saved(kind))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _with_pickle(content: bytes, **others: bytes) -> bytes:
    """`torch.save`'s zip with another pickle."""
    return _zipped({**_entries("zip"), "archive/data.pkl": content, **others})


def write(folder: Path, rng: random.Random) -> Path:
    kind = rng.choice(("zip", "zip", "legacy", "npz", "safetensors"))
    content = _saved(kind)
    chance = rng.random()
    if kind in ("zip", "npz") and chance < 0.7:  # an archive in order, with an entry that is not
        entries = _entries(kind)
        name = rng.choice(list(entries)) if chance < 0.3 else next(iter(entries))
        entries[name] = mutated_bytes(entries[name], rng)
        content = _zipped(entries, compression=rng.choice((zipfile.ZIP_STORED, 8)))
    elif kind == "safetensors" and chance < 0.7:
        content = _safetensors(mutated_tree(_TABLE, rng), bytes(range(40)))
    else:
        content = mutated_bytes(content, rng)
    ending = {"npz": "npz", "safetensors": "safetensors"}.get(kind, "pth")
    path = folder / f"file.{rng.choice((ending,) * 8 + ('pth', 'npz', 'safetensors'))}"
    path.write_bytes(content)
    return path


def _file(make: bytes | Callable[[], bytes], ending: str = "pth") -> Hostile:
    def case(folder: Path) -> Path:
        path = folder / f"file.{ending}"
        path.write_bytes(make if isinstance(make, bytes) else make())
        return path

    return case


def _pickled(value: Any, protocol: int = 2) -> Hostile:
    return _file(lambda: _with_pickle(pickle.dumps(value, protocol)))


def _table(table: Any, data: bytes = bytes(40)) -> Hostile:
    return _file(lambda: _safetensors(table, data), "safetensors")


def _entry(**values: Any) -> Hostile:
    return _table({"weight": {**_TABLE["weight"], **values}})


def _shared_lists() -> dict[str, Any]:
    """Small in the file; who walks it as a tree never ends."""
    node: list[Any] = [0]
    for _ in range(100):
        node = [node, node]
    return {"a": node}


def _circle() -> dict[str, Any]:
    node: dict[str, Any] = {}
    node["self"] = [node]
    return node


def _npy(shape: str, data: bytes = b"", dtype: str = "<f4") -> bytes:
    head = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}".encode()
    head += b" " * (63 - (len(head) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data


def _zip_bomb(name: str, size: int) -> bytes:
    """A file of a two hundredth of `size` with one entry of zeros."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        if "/" in name:
            for entry, content in _entries("zip").items():
                if entry != name:
                    archive.writestr(entry, content)
        with archive.open(name, "w", force_zip64=True) as entry:
            if name.endswith(".npy"):
                entry.write(_npy(f"({size // 4},)"))
            for _ in range(size >> 20):
                entry.write(bytes(1 << 20))
    return file.getvalue()


def _tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name in ("../../outside", "storages", "tensors", "pickle"):
            info = tarfile.TarInfo(name)
            info.size = 4
            archive.addfile(info, io.BytesIO(b"\x80\x02N."))
    return file.getvalue()


_GLOBALS = (
    "os system", "builtins eval", "builtins getattr", "numpy dtype", "numpy ndarray",
    "torch._utils _rebuild_tensor_v2", "collections OrderedDict", "argparse Namespace",
    "mmengine.config.config ConfigDict", "mmengine.logging.history_buffer HistoryBuffer",
    "numpy._core.multiarray _reconstruct", "numpy._core.multiarray scalar", "torch FloatStorage",
)  # fmt: skip
_ARGUMENTS = (b"(t", b"(Nt", b"(X\x02\x00\x00\x00f4K\x01t", b"((K\x01tN}t", b"(]}NK\x05t")


def _called(name: str, arguments: bytes, state: bytes) -> bytes:
    """A pickle that calls a global, and sets a state on what comes back."""
    place, function = name.split(" ")
    call = b"c" + place.encode() + b"\n" + function.encode() + b"\n" + arguments + b"R"
    return b"\x80\x02}X\x01\x00\x00\x00a" + call + state + b"s."


HOSTILE: list[Hostile] = [
    *(_file(content, ending) for ending in ("pth", "npz", "safetensors")
      for content in (b"", b"\0", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), b"\x80\x02.", bytes(9),
                      b"<html>404</html>", b"version https://git-lfs.github.com/spec/v1\n")),
    *(_file(_saved(kind), ending) for kind in ("zip", "legacy", "npz", "safetensors")
      for ending in ("pth", "npz", "safetensors", "")),
    _pickled(_Attack(os.system, "touch /tmp/fuzz_was_here")), _pickled(_Attack(eval, "1")),
    *(_pickled(_sample(), protocol) for protocol in range(6)),
    _pickled(_shared_lists()), _pickled(_circle()), _pickled([1]), _pickled(None), _pickled({1: 2}),
    _pickled({"a": 10**4000}), _pickled({"meta": [1], "state_dict": 3}), _pickled({(1, 2): {}}),
    *(_file(lambda n=name, a=arguments, s=state: _with_pickle(_called(n, a, s)))
      for name in _GLOBALS for arguments in _ARGUMENTS for state in (b"", b"Nb", b"}b", b"(NNtb")),
    *(_file(lambda c=content: _with_pickle(c)) for content in (
        b"\x80\x02" + b"]" * 500_000 + b".", b"\x80\x02" + b"(" * 500_000 + b".",
        b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".", b"\x80\x02X\xff\xff\xff\x7fa.",
        b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fa.", b"\x80\x02\x8b\xff\xff\xff\x7f1.",
        b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b".", b"\x80\x02r\xff\xff\xff\x7f.",
        b"\x80\x02K\x01" + b"2" * 1_000_000 + b".", b"\x80\x02I" + b"9" * 10_000 + b"\n.",
        b"\x80\x02h\x05.", b"\x80\xff.", b"\x80\x02Q.", b"\x80\x02\x82\x01.", b"", b".",
        b"\x80\x02(K\x01K\x02d.", b"\x80\x02}(]]u.", b"\x80\x02(t" + b"\x85" * 100_000 + b".",
    )),
    _file(lambda: _zip_bomb("archive/data.pkl", 1200 << 20)),
    _file(lambda: _zip_bomb("archive/data/0", 1200 << 20)),
    _file(lambda: _zip_bomb("a.npy", 1200 << 20), "npz"),
    _file(lambda: _zipped({f"{n}.npy": _npy("(1,)", bytes(4)) for n in range(20_000)}), "npz"),
    *(_file(lambda s=shape: _zipped({"a.npy": _npy(s, bytes(8))}), "npz") for shape in (
        "(1000000000000,)", "(-1,)", "(2, 2)", "()", "(1.5,)", "('a',)", "[2]", "(0, 99999999999)",
        "(" * 200 + ")" * 200, "(9" + "9" * 5000 + ",)", "None", "(True,)", "__import__('os')",
    )),
    *(_file(lambda d=dtype: _zipped({"a.npy": _npy("(2,)", bytes(64), d)}), "npz") for dtype in (
        "O", "<U8", "|V8", "<c16", "<M8[s]", "i4,i4", "<f99", "", "x" * 1000, ">f4", "<f2", "?",
    )),
    _file(lambda: _zipped({"a.txt": b"x", "b": b"\x93NUMPY", "../../c.npy": _npy("()", b"1234")}),
          "npz"),
    _file(_tar()),
    *(_table("[" * depth) for depth in (10, 100_000)), _table("[" + "[]," * 5_000_000 + "[]]"),
    _table("{}"), _table("null"), _table("3"), _table({"a": 3}), _table({"a": {}}), _table("{"),
    _file(struct.pack("<Q", 2**63) + b"{}", "safetensors"),
    _file(struct.pack("<Q", 2**64 - 1) + b"{}", "safetensors"),
    _entry(shape=[2**62, 2**62]), _entry(shape=[-2, -3]), _entry(shape=[1] * 100_000),
    _entry(shape=[10**4000] * 2000), _entry(shape=["2", "3"]), _entry(shape=[2.0, 3.0]),
    _entry(shape=[0, 2**62]), _entry(shape=[0, 2**62, 2**62], data_offsets=[0, 0]),
    _entry(shape=[0] + [2**40] * 5, data_offsets=[0, 0]), _entry(shape={"0": 2}),
    _entry(dtype="F4"), _entry(dtype=["F32"]), _entry(data_offsets=[24, 0]),
    _entry(data_offsets=[-24, 0]),
    _entry(data_offsets=[0, 24.0]), _entry(data_offsets=[0, 10**400]), _entry(data_offsets=[0]),
    _entry(data_offsets=["0", "24"]), _entry(more=1), _entry(dtype="BOOL", shape=[24]),
    _table({f"{n}": {"dtype": "U8", "shape": [1_000_000], "data_offsets": [0, 1_000_000]}
            for n in range(3000)}, bytes(1_000_000)),
    lambda folder: folder / "missing.pth", lambda folder: folder, lambda folder: Path("/dev/zero"),
    *disturbed(_file(_saved("zip"))),
]  # fmt: skip


def read(path: Path) -> None:
    read_checkpoint(path)
    assert not os.path.exists("/tmp/fuzz_was_here")


READER = Reader("checkpoints", write, read, HOSTILE)
