"""A folder of images and labels, and what may be wrong with its files but for their content."""

import os
import random
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.fuzz.hostile_values import TEXTS
from tests.fuzz.image_samples import HOSTILE_IMAGES, image_bytes
from tests.fuzz.mutation import mutated_bytes
from tests.fuzz.reader import Hostile

NAMES = ("1.jpg", "2.jpg", "3.png")


def write_images(folder: Path, *, inside: str = "images") -> None:
    (folder / inside).mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        (folder / inside / name).write_bytes(image_bytes(name.rpartition(".")[2]))


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files by their names relative to `folder`, beside images; returns `folder`."""
    write_images(folder)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        path.write_bytes(data)
    return folder


def disturb(folder: Path, rng: random.Random) -> None:
    """Now and then, something is wrong with a file as such."""
    if rng.random() > 0.1:
        return
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    rng.choice(list(_DISTURBANCES.values()))(rng.choice(files))


def disturbed(write: Callable[[Path], Any]) -> list[Hostile]:
    """Cases in which each disturbance comes upon each file that `write` writes."""

    def case(folder: Path, disturbance: Callable[[Path], None], number: int) -> Any:
        given = write(folder)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        disturbance(files[number % len(files)])
        return given

    return [
        lambda folder, d=disturbance, n=number: case(folder, d, n)
        for disturbance in _DISTURBANCES.values()
        for number in (0, 3, 4, 5)
    ]


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _link(target: str) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        path.unlink()
        path.symlink_to(target)

    return replace


def _link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def _circle(path: Path) -> None:
    (path.parent / "again").symlink_to(path.parent, target_is_directory=True)
    (path.parent / "above").symlink_to(path.parent.parent, target_is_directory=True)


def _socket(path: Path) -> None:
    path.unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def _locked(path: Path) -> None:
    path.chmod(0)


def _torn(path: Path) -> None:
    path.write_bytes(mutated_bytes(path.read_bytes(), random.Random(path.name)))


def _renamed(path: Path) -> None:
    for text in (b"\xff\xfe.jpg", b"new\nline.jpg", b"\x1b[31m.png", b" .json", b"a'\"b.xml"):
        path.with_name(os.fsdecode(text)).write_bytes(path.read_bytes())


def _many_copies(path: Path) -> None:
    for number in range(300):
        path.with_name(f"copy{number}{path.suffix}").write_bytes(path.read_bytes())


def _deep(path: Path) -> None:
    deep = path.parent
    for _ in range(100):
        deep = deep / "d"
    deep.mkdir(parents=True)
    path.rename(deep / path.name)


_DISTURBANCES: dict[str, Callable[[Path], None]] = {
    "pipe": _pipe,
    "folder": _folder,
    "link to nowhere": _link("nowhere"),
    "link to itself": _link_to_itself,
    "link to a device": _link("/dev/zero"),
    "link to another device": _link("/dev/tty"),
    "link to the kernel": _link("/proc/self/mem"),
    "circle": _circle,
    "socket": _socket,
    "locked": _locked,
    "removed": Path.unlink,
    "empty": lambda path: path.write_bytes(b"") and None,
    "torn": _torn,
    "renamed": _renamed,
    "copies": _many_copies,
    "deep": _deep,
    **{
        f"image: {name}": lambda path, data=data: path.write_bytes(data) and None
        for name, data in HOSTILE_IMAGES.items()
    },
}

HOSTILE_NAMES = [text for text in TEXTS if text]
"""What a label file may call its image."""
