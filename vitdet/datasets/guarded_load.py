"""Reading that goes on where a file cannot be read, and keeps a list of such files."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vitdet.errors import UserError

LIST = "unreadable_images.jsonl"


class GuardedLoad:
    """A transform that reads files; None, for which a data set takes another image, where it fails.

    A process that meets more than `limit` such images raises UserError.
    """

    def __init__(self, transform: Any, path: Path, limit: int) -> None:
        self.transform, self.path, self.limit = transform, path, limit
        self._seen: dict[str, str] = {}

    def __call__(self, results: dict[str, Any]) -> dict[str, Any] | None:
        image = str(results.get("img_path"))
        try:
            return self.transform(results)
        except MemoryError:
            raise
        except Exception as error:  # readers have many ways to fail
            self._note(image, " ".join(str(error).split())[:300] or type(error).__name__)
            return None

    def __repr__(self) -> str:
        return repr(self.transform)

    def _note(self, image: str, reason: str) -> None:
        if image in self._seen:
            return
        self._seen[image] = reason
        line = json.dumps(dict(image=image, reason=reason)) + "\n"
        # One write to the end of the file: lines of several processes do not mix.
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)
        if len(self._seen) > self.limit:
            raise too_many_unreadable(self._seen, self.limit, self.path)


def unreadable_images(run_folder: Path) -> dict[str, str]:
    """Images that a run could not read, with reasons; empty where there are none."""
    path = run_folder / LIST
    return dict(list_entries(path.read_text(errors="replace"))) if path.is_file() else {}


def list_entries(text: str) -> Iterable[tuple[str, str]]:
    """Images and reasons of the lines of a list, without one that a crash has torn off."""
    for line in text.splitlines():
        try:
            entry = json.loads(line)
            yield str(entry["image"]), str(entry["reason"])
        except (ValueError, KeyError, TypeError):
            continue


def too_many_unreadable(images: Mapping[str, str], limit: int, path: Path) -> UserError:
    """What ends a run whose list, at `path`, has outgrown `limit`."""
    (image, reason), *_ = images.items()
    return UserError(
        f"{len(images)} images of the training data cannot be read, more than the limit of {limit}"
        f" (default_hooks.unreadable_images.limit): {image}: {reason}; the others are in {path}"
    )
