"""Our reader agrees with the format's own library, and refuses damaged files in one line."""

import json
import struct

import pytest
import safetensors.torch
import torch

from vitdet.compat.checkpoint_loading import load_checkpoint_file
from vitdet.compat.safetensors_format import read_safetensors
from vitdet.errors import UserError


def write(path, table: dict, data: bytes) -> None:
    header = json.dumps(table).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)


def test_agrees_with_the_safetensors_library(tmp_path):
    tensors = {
        "scalar": torch.tensor(3.5, dtype=torch.float64),
        "empty": torch.empty(0, 4),
        "half": torch.randn(3, 5).half(),
        "bfloat": torch.randn(2, 2, 2).bfloat16(),
        "float8": torch.randn(7).to(torch.float8_e4m3fn),
        "index": torch.arange(9).reshape(3, 3),
        "mask": torch.tensor([True, False, True]),
    }
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file(tensors, path, metadata={"format": "pt"})
    read = load_checkpoint_file(path)
    assert read.keys() == tensors.keys()
    for name, expected in tensors.items():
        assert read[name].dtype == expected.dtype
        assert read[name].shape == expected.shape
        assert torch.equal(read[name].double(), expected.double())


def test_reads_a_file_written_by_hand(tmp_path):
    path = tmp_path / "a.safetensors"
    write(
        path,
        {"w": {"dtype": "F32", "shape": [2], "data_offsets": [1, 9]}},  # unaligned on purpose
        b"\0" + struct.pack("<2f", 1.5, -2.0),
    )
    assert read_safetensors(path)["w"].tolist() == [1.5, -2.0]


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "entry",
    [
        ENTRY | {"data_offsets": [8, 16]},
        ENTRY | {"data_offsets": [-8, 0]},
        ENTRY | {"data_offsets": [0, 4]},
        ENTRY | {"shape": [3]},
        ENTRY | {"shape": [-1, -2]},
        ENTRY | {"shape": [2**70]},
        ENTRY | {"dtype": "load"},
        ENTRY | {"other": 1},
        {"dtype": "F32"},
        7,
    ],
)
def test_an_entry_that_does_not_fit_is_refused(tmp_path, entry):
    path = tmp_path / "bad.safetensors"
    write(path, {"w": entry}, bytes(8))
    with pytest.raises(UserError, match="not a safetensors file"):
        load_checkpoint_file(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff" * 8, b"\xff" * 64, struct.pack("<Q", 9) + b"{}", struct.pack("<Q", 2) + b"[]"],
)
def test_a_damaged_header_is_refused(tmp_path, content):
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"bad.safetensors: truncated, or not a safetensors file"):
        load_checkpoint_file(path)
