"""Every form of an image gives the pixels that it means."""

import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from vitdet.datasets import image_sources
from vitdet.datasets.image_sources import images_of, pixels_of, read_image_url
from vitdet.errors import UserError

PIXELS = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.png", "a.png"):
        Image.fromarray(PIXELS).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def names(given) -> list[str]:
    return [image.stem for image in images_of(given)]


@pytest.mark.parametrize(
    "image",
    [
        PIXELS,
        torch.from_numpy(PIXELS).permute(2, 0, 1),
        torch.from_numpy(PIXELS).permute(2, 0, 1) / 255,
        torch.from_numpy(PIXELS).permute(2, 0, 1).double() / 255,
        Image.fromarray(PIXELS),
    ],
    ids=["array", "uint8 tensor", "float tensor", "double tensor", "Pillow"],
)
def test_what_is_in_memory(image) -> None:
    (one,) = images_of(image)
    np.testing.assert_array_equal(one.image, PIXELS)
    both = list(images_of([image, image]))
    assert len(both) == 2


def test_a_first_axis_more_is_several_images() -> None:
    stack = np.stack([PIXELS, PIXELS[::-1]])
    for given in (stack, torch.from_numpy(stack).permute(0, 3, 1, 2)):
        first, second = images_of(given)
        np.testing.assert_array_equal(first.image, PIXELS)
        np.testing.assert_array_equal(second.image, PIXELS[::-1])


def test_files_folders_and_patterns(folder: Path) -> None:
    assert names(folder / "b.png") == names(str(folder / "b.png")) == ["b"]
    assert names(folder) == ["a", "b"]
    assert names(str(folder / "*")) == names(f"{folder}/**/[ab].png") == ["a", "b"]
    assert names([folder / "b.png", PIXELS, folder]) == ["b", "image", "a", "b"]
    assert names(path for path in sorted(folder.glob("*.png"))) == ["a", "b"]


def test_a_file_whose_name_looks_like_a_pattern(folder: Path) -> None:
    (folder / "b.png").rename(folder / "photo[1].png")
    assert names(str(folder / "photo[1].png")) == ["photo[1]"]


def test_a_video_gives_its_frames_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 5, (32, 24))
    for level in (40, 120, 200):
        writer.write(np.full((24, 32, 3), (0, 0, level), np.uint8))  # red, as OpenCV orders it
    writer.release()
    frames = list(images_of(path))
    assert [frame.stem for frame in frames] == ["clip_000000", "clip_000001", "clip_000002"]
    assert frames[2].address == f"{path}#2"
    for frame, level in zip(frames, (40, 120, 200), strict=True):
        assert frame.image.shape == (24, 32, 3)
        np.testing.assert_allclose(frame.image.mean((0, 1)), (level, 0, 0), atol=6)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    for given, message in (
        (tmp_path, "no images in"),
        (str(tmp_path / "*.jpg"), r"no image matches .*\*\.jpg"),
        (tmp_path / "broken.mp4", "not a video"),
        (tmp_path / "absent.mp4", "video not found"),
        (7, "not <class 'int'>"),
        (PIXELS.astype(float), "uint8 in RGB order"),
        (torch.zeros(20, 30, 3), "is \\(3, H, W\\)"),
        (torch.zeros(3, 4, 4, dtype=torch.int64), "not torch.int64"),
        (torch.full((3, 4, 4), 255.0), "from 0 to 1, not from 255 to 255"),
        (torch.full((3, 4, 4), torch.nan), "from 0 to 1"),
    ):
        with pytest.raises(UserError, match=message):
            list(images_of(given))
    with pytest.raises(UserError, match="not <class 'str'>"):
        pixels_of("a.png")


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        png = cv2.imencode(".png", PIXELS[..., ::-1])[1].tobytes()
        content = {"/photo.png": png, "/text.png": b"no image", "/slow.png": png}.get(self.path)
        if self.path == "/endless.png":
            content = bytes(4 << 20)
        self.send_response(404 if content is None else 200)
        self.end_headers()  # no length is announced
        try:
            for start in range(0, len(content or b""), 1 << 16):
                self.wfile.write(content[start : start + (1 << 16)])
            if self.path == "/slow.png":
                for _ in range(40):
                    self.wfile.write(b"x")
                    time.sleep(0.05)
        except ConnectionError:  # the client has had enough
            pass

    def log_message(self, *_) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as one:
        threading.Thread(target=one.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{one.server_port}"
        one.shutdown()


def test_an_image_behind_a_url(server: str) -> None:
    (one,) = images_of(f"{server}/photo.png")
    assert (one.stem, one.address) == ("photo", f"{server}/photo.png")
    np.testing.assert_array_equal(one.image, PIXELS)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.png", r"absent.png: cannot be fetched \(HTTP Error 404"),
        ("text.png", "text.png is not an image"),
        ("endless.png", "is larger than 1 MiB"),
        ("slow.png", "takes more than 0 s"),
    ],
)
def test_urls_that_bring_no_image(
    server: str, name: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_sources, "_MAX_BYTES", 1 << 20)
    monkeypatch.setattr(image_sources, "_MAX_SECONDS", 0.3)
    with pytest.raises(UserError, match=message):
        read_image_url(f"{server}/{name}")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/a.png", "http://", "http://[::1/a.png"])
def test_addresses_that_answer_nothing(url: str) -> None:
    with pytest.raises(UserError, match="cannot be fetched"):
        list(images_of(url))
