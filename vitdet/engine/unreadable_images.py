"""Images that cannot be read in a training: replaced by others, counted and listed."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process, master_only
from mmengine.hooks import Hook
from torch.utils.data import Dataset

from vitdet.errors import UserError

LIST = "unreadable_images.jsonl"
_SHARE, _MOST = 0.01, 50


class SkipUnreadableImages(Hook):
    """Puts another image in the place of one that, or whose labels, cannot be read.

    It is about the transforms of the training data whose name starts with `Load`. Each image is
    said once and written to `unreadable_images.jsonl` in the run's folder, which all processes and
    workers append to. With more than `limit` images the run ends; by default that is one in a
    hundred, at least 1 and at most 50.
    """

    def __init__(self, *, limit: int | None = None) -> None:
        self.limit = limit
        self._images: dict[str, str] = {}
        self._position = 0

    def training_data_built(self, runner: Any, dataset: Dataset) -> None:
        """Guard the pipelines of the training data; called before workers are started."""
        self._path = Path(runner.work_dir, LIST)
        if not runner._resume and is_main_process():
            self._path.unlink(missing_ok=True)  # of a run that left no checkpoint
        if self.limit is None:
            self.limit = max(1, min(int(_SHARE * len(dataset)), _MOST))
        for inner in _inner_datasets(dataset):
            transforms = getattr(getattr(inner, "pipeline", None), "transforms", [])
            transforms[:] = [
                GuardedLoad(one, self._path, self.limit)
                if type(one).__name__.startswith("Load")
                else one
                for one in transforms
            ]

    def after_train_iter(self, runner: Any, **_: Any) -> None:
        for image, reason in self._new():
            runner.logger.warning(
                f"{image} cannot be read, another image takes its place: {reason} "
                f"({len(self._images)} so far, the run ends at {self.limit + 1})"
            )
        if len(self._images) > self.limit:
            error = _too_many(self._images, self.limit, self._path)
            if not is_main_process():  # of whom no command prints anything
                runner.logger.error(str(error))
            raise error

    @master_only
    def after_train(self, runner: Any) -> None:
        if self._images:
            names = ", ".join(list(self._images)[:5]) + (", ..." if len(self._images) > 5 else "")
            runner.logger.warning(
                f"{len(self._images)} images could not be read, others took their place: {names}; "
                f"the list is in {self._path}"
            )

    def _new(self) -> list[tuple[str, str]]:
        """Images with reasons that have come into the list since the last call, each once."""
        if not self._path.is_file() or self._path.stat().st_size == self._position:
            return []
        with self._path.open("rb") as file:
            file.seek(self._position)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._position += len(whole)
        found = []
        for image, reason in _entries(whole.decode(errors="replace")):
            if image not in self._images:
                self._images[image] = reason
                found.append((image, reason))
        return found


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
            raise _too_many(self._seen, self.limit, self.path)


def read_list(run_folder: Path) -> dict[str, str]:
    """Images that a run could not read, with reasons; empty where there are none."""
    path = run_folder / LIST
    return dict(_entries(path.read_text(errors="replace"))) if path.is_file() else {}


def _entries(text: str) -> Iterable[tuple[str, str]]:
    for line in text.splitlines():
        try:
            entry = json.loads(line)
            yield str(entry["image"]), str(entry["reason"])
        except (ValueError, KeyError, TypeError):
            continue  # torn off by a crash


def _inner_datasets(dataset: Any) -> Iterable[Any]:
    """The data sets that read images, below those that repeat, join or mix others."""
    below = [*getattr(dataset, "datasets", []), getattr(dataset, "dataset", None)]
    below = [one for one in below if one is not None]
    if not below:
        yield dataset
    for one in below:
        yield from _inner_datasets(one)


def _too_many(images: dict[str, str], limit: int, path: Path) -> UserError:
    (image, reason), *_ = images.items()
    return UserError(
        f"{len(images)} images of the training data cannot be read, more than the limit of {limit}"
        f" (default_hooks.unreadable_images.limit): {image}: {reason}; the others are in {path}"
    )
