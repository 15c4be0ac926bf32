"""`metrics.jsonl`: every step and every evaluation of a run as one line of json."""

import json
import math
import os
from collections.abc import Mapping
from io import FileIO
from numbers import Real
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop

FILE = "metrics.jsonl"


class WriteMetrics(Hook):
    """Appends a line to `metrics.jsonl` in the run's folder after each step and each evaluation.

    A line of a step has `step`, counted from 1, `epoch`, the terms of the loss, `lr`, and seconds
    as `time` and `data_time`; one of an evaluation has `step`, `epoch` and the figures. Each is
    written at once, so a crash can only tear off the last; a resumed run drops that and the steps
    and the evaluation that it does again. Numbers that are not finite are null.
    """

    priority = "LOW"  # after what it tells has been logged, before a save that ends the run

    def __init__(self) -> None:
        self._file: FileIO | None = None

    def before_train(self, runner: Any) -> None:
        if not is_main_process():
            return
        path = Path(runner.work_dir, FILE)
        kept = [one for one in read_metrics(path) if one["step"] <= runner.iter]
        position = getattr(runner.train_loop, "position", None) or {}
        is_repeated = not position.get("is_evaluated", True)  # the evaluation after the last step
        if is_repeated and len(kept) > 1 and kept[-2]["step"] == kept[-1]["step"] == runner.iter:
            kept.pop()
        temporary = path.with_name(f".{FILE}.tmp")
        temporary.write_text("".join(map(_line, kept)), encoding="utf-8")
        os.replace(temporary, path)
        self._file = path.open("ab", buffering=0)

    def after_train_iter(
        self, runner: Any, outputs: Mapping[str, Any] | None = None, **_: Any
    ) -> None:
        if self._file is None:
            return
        logged = runner.message_hub.log_scalars
        names = [*(outputs or {}), "lr", "grad_norm", "time", "data_time"]
        values = {
            name: logged[f"train/{name}"].current() for name in names if f"train/{name}" in logged
        }
        self._write(runner, dict(step=runner.iter + 1, epoch=runner.epoch + 1, **values))

    def after_val_epoch(self, runner: Any, metrics: Mapping[str, Any] | None = None) -> None:
        if self._file is not None:
            values = {k: float(v) for k, v in (metrics or {}).items() if isinstance(v, Real)}
            self._write(runner, dict(step=runner.iter, epoch=runner.epoch, **values))

    def after_run(self, runner: Any) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, runner: Any, entry: dict[str, Any]) -> None:
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            del entry["epoch"]
        try:
            self._file.write(_line(entry).encode())
        except OSError as error:  # a full disk: what follows a torn line would be lost too
            runner.logger.warning(f"{FILE} ends here ({error.strerror}); the training goes on")
            self._file = None


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a `metrics.jsonl`, without one that is torn; empty where there is no file."""
    entries = []
    for line in path.read_text(errors="replace").splitlines() if path.is_file() else ():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(entry, dict) and isinstance(entry.get("step"), int):
            entries.append(entry)
    return entries


def _line(entry: Mapping[str, Any]) -> str:
    values = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in entry.items()
    }
    return json.dumps(values, allow_nan=False) + "\n"
