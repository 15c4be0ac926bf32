"""`.npz` files are read as arrays of numbers, never as pickles."""

from pathlib import Path

import numpy as np
import pytest
import torch

from vitdet.checkpoints.files import read_checkpoint
from vitdet.errors import UserError


def test_arrays_come_back_as_tensors(tmp_path: Path) -> None:
    arrays = {"a/kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "step": np.int64(3)}
    np.savez_compressed(tmp_path / "x.npz", **arrays)
    checkpoint = read_checkpoint(tmp_path / "x.npz")
    assert set(checkpoint) == {"a/kernel", "step"}
    assert torch.equal(checkpoint["a/kernel"], torch.arange(6.0).view(2, 3))


class Trap:
    def __reduce__(self) -> tuple:
        return Path.touch, (Path("sprung"),)


def test_pickles_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("x.npz", a=np.array([Trap()], dtype=object))
    with pytest.raises(UserError, match=r"x\.npz: holds more than arrays of numbers"):
        read_checkpoint("x.npz")
    assert not Path("sprung").exists()


@pytest.mark.parametrize("keep", [0, 20, 200, -30])
def test_damaged_files_are_named(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, a=np.ones(100), b=np.ones(100))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"x\.npz: "):
        read_checkpoint(path)


def test_text_is_not_a_tensor(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", a=np.array(["text"]))
    with pytest.raises(UserError, match="holds more than arrays of numbers"):
        read_checkpoint(tmp_path / "x.npz")
