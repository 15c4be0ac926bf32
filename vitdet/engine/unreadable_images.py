"""Images that cannot be read in a training: replaced by others, counted and listed."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process, master_only
from mmengine.hooks import Hook
from torch.utils.data import Dataset

from vitdet.datasets.guarded_load import LIST, GuardedLoad, list_entries, too_many_unreadable

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
        self._path: Path | None = None
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
        self._new()  # those of the run that is gone on with count, and were said

    def after_train_iter(self, runner: Any, **_: Any) -> None:
        for image, reason in self._new():
            runner.logger.warning(
                f"{image} cannot be read, another image takes its place: {reason} "
                f"({len(self._images)} so far, the run ends at {self.limit + 1})"
            )
        if len(self._images) > self.limit:
            error = too_many_unreadable(self._images, self.limit, self._path)
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
        if self._path is None or not self._path.is_file():
            return []
        if self._path.stat().st_size == self._position:
            return []
        with self._path.open("rb") as file:
            file.seek(self._position)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._position += len(whole)
        found = []
        for image, reason in list_entries(whole.decode(errors="replace")):
            if image not in self._images:
                self._images[image] = reason
                found.append((image, reason))
        return found


def _inner_datasets(dataset: Any) -> Iterable[Any]:
    """The data sets that read images, below those that repeat, join or mix others."""
    below = [*getattr(dataset, "datasets", []), getattr(dataset, "dataset", None)]
    below = [one for one in below if one is not None]
    if not below:
        yield dataset
    for one in below:
        yield from _inner_datasets(one)
