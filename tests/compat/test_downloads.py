"""A file arrives whole, even over a bad connection, or one line says why not."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vitdet.compat import downloads
from vitdet.compat.downloads import download_file, expected_sha256
from vitdet.errors import UserError

CONTENT = bytes(range(256)) * 40
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves `content` under every name; understands ranges; cuts or fails when told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.version: str | None = '"v1"'
        self.understands_ranges = True
        self.cuts: list[int] = []  # how many bytes each next answer really sends
        self.failures: list[int] = []  # status of each next answer
        self.ranges: list[str | None] = []  # what was asked for
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server, asked = self.server, self.headers.get("Range")
        server.ranges.append(asked)
        if server.failures:
            self.send_error(server.failures.pop(0))
            return
        start = 0
        same = self.headers.get("If-Range") in (None, server.version)
        if asked and server.understands_ranges and same:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(server.content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(server.content)}")
                self.end_headers()
                return
        body = server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        if server.version:
            self.send_header("ETag", server.version)
        self.end_headers()
        self.wfile.write(body[: server.cuts.pop(0)] if server.cuts else body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(downloads.time, "sleep", lambda seconds: None)
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_and_is_fetched_once(server: Server, tmp_path: Path) -> None:
    for _ in range(2):
        target = download_file(f"{server.url}/a.pth", tmp_path / "new" / "a.pth")
        assert target.read_bytes() == CONTENT
    assert server.ranges == [None]
    assert files_in(tmp_path / "new") == ["a.pth"]


def test_a_cut_connection_is_taken_up_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.cuts = [1000, 2000]
    download_file(f"{server.url}/a.pth", tmp_path / "a.pth")
    assert (tmp_path / "a.pth").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=1000-", "bytes=3000-"]


def test_a_later_process_goes_on(server: Server, tmp_path: Path) -> None:
    server.cuts = [500] * 5
    with pytest.raises(UserError, match=r"cut after 2500 of 10240 bytes") as caught:
        download_file(f"{server.url}/a.pth", tmp_path / "a.pth")
    assert str(tmp_path / "a.pth") in str(caught.value) and "\n" not in str(caught.value)
    assert {"a.pth.part", "a.pth.part.version"} <= set(files_in(tmp_path))
    download_file(f"{server.url}/a.pth", tmp_path / "a.pth")
    assert server.ranges[-1] == "bytes=2500-"
    assert (tmp_path / "a.pth").read_bytes() == CONTENT


def test_beginning_of_another_version_is_not_continued(server: Server, tmp_path: Path) -> None:
    server.cuts = [500] * 5
    with pytest.raises(UserError):
        download_file(f"{server.url}/a.pth", tmp_path / "a.pth")
    server.content, server.version = CONTENT[::-1], '"v2"'
    download_file(f"{server.url}/a.pth", tmp_path / "a.pth")
    assert (tmp_path / "a.pth").read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("fragment", ["", f"#sha256={SHA256}"])
def test_without_a_version_only_a_checksum_allows_to_go_on(
    server: Server, tmp_path: Path, fragment: str
) -> None:
    server.version = None
    server.cuts = [1000]
    download_file(f"{server.url}/a.pth{fragment}", tmp_path / "a.pth")
    assert server.ranges == [None, "bytes=1000-" if fragment else None]
    assert (tmp_path / "a.pth").read_bytes() == CONTENT


def test_a_server_without_ranges(server: Server, tmp_path: Path) -> None:
    server.understands_ranges = False
    server.cuts = [1000]
    download_file(f"{server.url}/a.pth", tmp_path / "a.pth")
    assert (tmp_path / "a.pth").read_bytes() == CONTENT


def test_interrupted_after_the_last_byte(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.pth.part").write_bytes(CONTENT)
    (tmp_path / "a.pth.part.version").write_text('"v1"')
    download_file(f"{server.url}/a.pth", tmp_path / "a.pth")
    assert (tmp_path / "a.pth").read_bytes() == CONTENT
    (tmp_path / "b.pth.part").write_bytes(CONTENT * 2)  # of no file that is there
    (tmp_path / "b.pth.part.version").write_text('"v1"')
    download_file(f"{server.url}/b.pth", tmp_path / "b.pth")
    assert (tmp_path / "b.pth").read_bytes() == CONTENT


def test_passing_failures_are_tried_again_and_lasting_ones_told(
    server: Server, tmp_path: Path
) -> None:
    server.failures = [503, 429]
    download_file(f"{server.url}/a.pth", tmp_path / "a.pth")
    assert len(server.ranges) == 3
    server.failures = [404]
    with pytest.raises(UserError, match=r"b.pth: cannot be downloaded \(HTTP Error 404"):
        download_file(f"{server.url}/b.pth", tmp_path / "b.pth")
    assert len(server.ranges) == 4
    with pytest.raises(UserError, match=r"cannot be downloaded \(.*refused"):
        download_file("http://127.0.0.1:9/c.pth", tmp_path / "c.pth")
    assert (tmp_path / "a.pth").exists()
    assert not (tmp_path / "b.pth").exists()


@pytest.mark.parametrize("name", [f"a-{SHA256[:8]}.pth", f"a.pth#sha256={SHA256.upper()}"])
def test_checksums(server: Server, tmp_path: Path, name: str) -> None:
    download_file(f"{server.url}/{name}", tmp_path / "good.pth")
    server.content = b"damaged"
    with pytest.raises(UserError, match=r"damaged or replaced \(SHA-256 is .*was expected"):
        download_file(f"{server.url}/{name}", tmp_path / "bad.pth")
    assert not (tmp_path / "bad.pth").exists() and not (tmp_path / "bad.pth.part").exists()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://x/deit_tiny_patch16_224-a1311bcf.pth", "a1311bcf"),
        ("https://x/mask_rcnn_20210902_120937-9d6b7cfa.pth?x=1", "9d6b7cfa"),
        ("https://x/a-20210902.pth", None),
        ("https://x/swin_tiny_patch4_window7_224.pth", None),
        ("https://x/a-12345abc.pth#sha256=ABCDEF01", "abcdef01"),
    ],
)
def test_where_a_checksum_is_found(url: str, expected: str | None) -> None:
    assert expected_sha256(url) == expected


def test_no_room(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UserError, match="cannot be downloaded"):
        download_file(f"{server.url}/a.pth", tmp_path / "file" / "a.pth")


def test_several_at_once_fetch_once(server: Server, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: download_file(f"{server.url}/a", tmp_path / "a"), range(4)))
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert server.ranges == [None]
