"""A live progress bar on a terminal: epoch or step, loss, data time, time left."""

import math
import sys
import time
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vitdet.engine.console import console_handlers

_REFRESH_SECONDS = 0.25


class ProgressHook(Hook):
    """Shows training and evaluation as rich progress bars; does nothing away from a terminal.

    The bar is redrawn from the training loop itself: a refreshing thread would be alive while data
    loader workers are forked.
    """

    priority = "LOWEST"

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._drawn_at = 0.0

    def before_train(self, runner: Any) -> None:
        self._start(runner)
        self._training = self._add("training", runner.max_iters, completed=runner.iter)

    def after_train_iter(self, runner: Any, batch_idx: int, **_: Any) -> None:
        if self._progress is None or not self._is_due():
            return
        scalars = runner.message_hub.log_scalars
        data_time = scalars["train/data_time"].current()
        try:
            loss = scalars["train/loss"].current()
        except KeyError:  # no step had a finite loss yet
            loss = math.nan
        self._progress.update(
            self._training,
            completed=runner.iter + 1,
            description=self._description(runner),
            note=f"loss {loss:.3f}  data {data_time * 1000:.0f} ms",
            refresh=True,
        )

    @staticmethod
    def _description(runner: Any) -> str:
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            return "training"
        return f"epoch {runner.epoch + 1}/{runner.max_epochs}"

    def before_val(self, runner: Any) -> None:
        self._show_training_done(runner)
        self._evaluating = self._add("evaluating", len(runner.val_dataloader))

    def after_val_iter(self, runner: Any, batch_idx: int, **_: Any) -> None:
        self._advance(batch_idx)

    def after_val(self, runner: Any) -> None:
        if self._progress is not None:
            self._progress.remove_task(self._evaluating)

    def after_train(self, runner: Any) -> None:
        self._show_training_done(runner)
        self.close()

    def before_test(self, runner: Any) -> None:
        self._start(runner)
        self._evaluating = self._add("testing", len(runner.test_dataloader))

    def after_test_iter(self, runner: Any, batch_idx: int, **_: Any) -> None:
        self._advance(batch_idx)

    def close(self) -> None:
        """Leave the terminal as it was; also called when a run is interrupted."""
        if self._progress is not None:
            self._progress.stop()
            for handler in self._handlers:
                handler.setStream(sys.stdout)
            self._progress = None

    def _start(self, runner: Any) -> None:
        if self._progress is not None or not sys.stdout.isatty() or not is_main_process():
            return
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=Console(file=sys.stdout),
            auto_refresh=False,
        )
        self._progress.start()
        # rich has replaced sys.stdout by a proxy that writes above the bar: log there.
        self._handlers = console_handlers(runner.logger)
        for handler in self._handlers:
            handler.setStream(sys.stdout)

    def _add(self, description: str, total: int, completed: int = 0) -> Any:
        if self._progress is None:
            return None
        return self._progress.add_task(description, total=total, completed=completed, note="")

    def _show_training_done(self, runner: Any) -> None:
        """Draw the steps that came too soon after the last refresh."""
        if self._progress is not None:
            self._progress.update(self._training, completed=runner.iter, refresh=True)

    def _advance(self, batch_idx: int) -> None:
        if self._progress is not None and self._is_due():
            self._progress.update(self._evaluating, completed=batch_idx + 1, refresh=True)

    def _is_due(self) -> bool:
        now = time.monotonic()
        if now - self._drawn_at < _REFRESH_SECONDS:
            return False
        self._drawn_at = now
        return True
