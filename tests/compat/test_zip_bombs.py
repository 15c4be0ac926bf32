import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from vitdet.checkpoints.files import read_checkpoint
from vitdet.errors import UserError


def pack(path: Path, name: str, size: int) -> None:
    packed = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with packed as archive, archive.open(name, "w") as entry:
        for _ in range(size >> 20):
            entry.write(bytes(1 << 20))


@pytest.mark.parametrize("name", ["a.npz", "a.pth"])
def test_an_archive_that_unpacks_to_gigabytes_is_refused(tmp_path: Path, name: str) -> None:
    pack(tmp_path / name, "a.npy", 300 << 20)
    with pytest.raises(UserError, match=rf"{name}: refused, because its \d+ bytes unpack to 3145"):
        read_checkpoint(tmp_path / name)


def test_packed_weights_of_zeros_are_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(1_000_000, np.float32))
    torch.save({"a": torch.zeros(1_000_000)}, tmp_path / "a.pth")
    for name in ("a.npz", "a.pth"):
        assert read_checkpoint(tmp_path / name)["a"].shape == (1_000_000,)
