"""Fetches a file over the network: goes on where it was cut off, checks it, or says one clear line.

Breaks: `torch.hub.download_url_to_file` starts again from nothing after a lost connection, takes
whatever came for the whole file where the server closes early, and compares no checksum unless
asked. Delete when it resumes and checks.
"""

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urldefrag, urlparse
from urllib.request import Request, urlopen

from vitdet.errors import UserError

_ATTEMPTS = 5
_TIMEOUT = 30.0  # seconds without a byte
_CHUNK = 1 << 20
_HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.")  # as torch.hub names its files: sha256, cut
_HASH_IN_FRAGMENT = re.compile(r"sha256=([0-9a-fA-F]{8,64})")


class _CutError(ConnectionError):
    """Less came than was announced."""


def download_file(url: str, target: Path, *, progress: bool = True) -> Path:
    """Fetch `url` into `target`, unless it is there, and return `target`.

    What has come so far waits beside it in a `.part` file, from which the next attempt, in this or
    a later process, goes on. The result is compared with the announced length and with a SHA-256 if
    one is known: `url#sha256=...`, or in the name as torch.hub has it (`name-1a2b3c4d.pth`).

    Raises:
        UserError: it cannot be fetched, or is not what was announced.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _one_process(target):
            if not target.is_file():
                _fetch_and_check(url, target, progress)
    except (OSError, HTTPException) as error:
        raise UserError(
            f"{urldefrag(url).url}: cannot be downloaded ({_cause(error)}); check the address and "
            f"the connection and start again, or put the file there by other means: {target}"
        ) from error
    return target


def expected_sha256(url: str) -> str | None:
    """The beginning of the file's SHA-256 in hexadecimal, as the URL tells it, or None."""
    address, fragment = urldefrag(url)
    stated = _HASH_IN_FRAGMENT.fullmatch(fragment)
    if stated:
        return stated[1].lower()
    named = _HASH_IN_NAME.search(Path(urlparse(address).path).name)
    # Digits alone are more likely a date.
    return named[1] if named and not named[1].isdigit() else None


def _fetch_and_check(url: str, target: Path, progress: bool) -> None:
    part = target.with_name(f"{target.name}.part")
    address, sha256 = urldefrag(url).url, expected_sha256(url)
    for attempt in range(_ATTEMPTS):
        try:
            with _progress_bar(target.name, progress) as show:
                _fetch(address, part, show, can_check=sha256 is not None)
            break
        except (OSError, HTTPException) as error:
            if attempt + 1 == _ATTEMPTS or not _may_pass(error):
                raise
            time.sleep(0.2 * 2**attempt)
    if sha256 is not None:
        actual = _sha256_of(part)
        if not actual.startswith(sha256):
            part.unlink()
            raise UserError(
                f"{address}: damaged or replaced (SHA-256 is {actual[:16]}..., {sha256} was "
                f"expected); start again, or put the right file there: {target}"
            )
    os.replace(part, target)
    _validator_file(part).unlink(missing_ok=True)


def _fetch(url: str, part: Path, show: Callable[[int, int], None], *, can_check: bool) -> None:
    """Append to `part` what it lacks, or write it anew where the server has another version."""
    validator_file = _validator_file(part)
    have = part.stat().st_size if part.is_file() else 0
    validator = validator_file.read_text() if validator_file.is_file() else ""
    headers = {"User-Agent": "vitdet"}
    if have and (validator or can_check):
        headers["Range"] = f"bytes={have}-"
        if validator:
            headers["If-Range"] = validator
    try:
        response = urlopen(Request(url, headers=headers), timeout=_TIMEOUT)
    except HTTPError as error:
        if error.code == 416:  # nothing lies beyond what we have
            if error.headers.get("Content-Range", "").endswith(f"/{have}"):
                return
            part.unlink()
        raise
    with response:
        resumed = getattr(response, "status", 200) == 206
        start = have if resumed else 0
        announced = response.headers.get("Content-Length")
        total = start + int(announced) if announced else None
        tag = response.headers.get("ETag") or ""
        strong = tag if not tag.startswith("W/") else ""
        validator_file.write_text(strong or response.headers.get("Last-Modified") or "")
        _copy(response, part, start, total, show)


def _copy(
    response: HTTPResponse,
    part: Path,
    start: int,
    total: int | None,
    show: Callable[[int, int], None],
) -> None:
    with part.open("r+b" if start else "wb") as file:
        file.seek(start)
        while chunk := response.read(_CHUNK):
            file.write(chunk)
            start += len(chunk)
            show(start, total or 0)
        file.flush()
        os.fsync(file.fileno())
    if total is not None and start != total:
        raise _CutError(f"the connection was cut after {start} of {total} bytes")


def _may_pass(error: Exception) -> bool:
    """Whether the same request may succeed in a moment."""
    if isinstance(error, HTTPError):
        return error.code in (408, 416, 429) or error.code >= 500
    # What the operating system says of files, such as a full disk, stays.
    return not (type(error) is OSError or isinstance(error, PermissionError))


def _cause(error: Exception) -> str:
    reason = getattr(error, "reason", None)  # what urllib wraps
    if isinstance(error, HTTPError) or reason is None:
        reason = error
    return str(reason) or type(reason).__name__


def _validator_file(part: Path) -> Path:
    """Holds the version (ETag or date) of the file that `part` is the beginning of."""
    return part.with_name(f"{part.name}.version")


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _one_process(target: Path) -> Iterator[None]:
    """Let one process of this machine fetch `target` while others wait, where locks exist."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    lock = target.with_name(f"{target.name}.lock")
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    lock.unlink(missing_ok=True)


@contextmanager
def _progress_bar(name: str, wanted: bool) -> Iterator[Callable[[int, int], None]]:
    """A function of (bytes so far, bytes in all) that draws a bar, on a terminal."""
    import sys

    if not wanted or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(
        *columns, TransferSpeedColumn(), TimeRemainingColumn(), console=Console(stderr=True)
    ) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)
