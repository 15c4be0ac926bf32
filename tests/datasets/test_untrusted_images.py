import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitdet.datasets.images import read_image
from vitdet.datasets.untrusted_images import BrokenImageError, open_image
from vitdet.errors import UserError


def claiming(width: int, height: int) -> bytes:
    """A PNG's head and no pixels, which Pillow and OpenCV believe until they read on."""
    content = b"\x89PNG\r\n\x1a\n"
    for name, data in (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
    ):
        content += struct.pack(">I", len(data)) + name + data
        content += struct.pack(">I", zlib.crc32(name + data))
    return content


def test_what_is_read_within_the_block_is_guarded_too(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(path)
    with open_image(path) as image:
        assert image.size == (60, 40)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(BrokenImageError) as caught, open_image(path) as image:
        image.load()
    assert caught.value.is_truncated and not caught.value.is_bomb


def test_bombs_are_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(claiming(20_000, 20_000))
    with pytest.raises(BrokenImageError, match="more than 178 million") as caught, open_image(path):
        pass
    assert caught.value.is_bomb
    with pytest.raises(UserError, match=r"a\.png has more than 178 million pixels: cut it"):
        read_image(path)


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "empty.jpg").touch()
    for name, why in (("pipe", "pipe"), ("folder", "folder"), ("empty", "empty")):
        with pytest.raises(BrokenImageError, match=why), open_image(tmp_path / f"{name}.jpg"):
            pass
    with pytest.raises(FileNotFoundError), open_image(tmp_path / "no.jpg"):
        pass
    for name in ("pipe.jpg", "folder.jpg", "empty.jpg", "no.jpg", "a\0b.jpg"):
        with pytest.raises(UserError):
            read_image(tmp_path / name)
