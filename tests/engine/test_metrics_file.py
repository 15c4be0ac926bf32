import json
from pathlib import Path

import pytest

from tests.engine.toy_training import (
    good_numbers,
    log_of,
    toy_config,
    toy_runner,
    with_evaluation,
    write_numbers,
)
from vitdet.engine.metrics_file import FILE, read_metrics
from vitdet.engine.runner import Runner


def _run(folder: Path, *, max_epochs: int, **changes) -> Runner:
    data = write_numbers(folder / "data", good_numbers(6))
    config = toy_config(data, folder / "run", train_cfg__max_epochs=max_epochs, **changes)
    runner = Runner.from_cfg(with_evaluation(config))
    runner.train()
    return runner


def test_steps_and_evaluations_are_lines_and_a_resumed_run_repeats_none(tmp_path: Path) -> None:
    _run(tmp_path, max_epochs=1)
    path = tmp_path / "run" / FILE
    first = path.read_text()
    entries = [json.loads(line) for line in first.splitlines()]
    assert [one["step"] for one in entries] == [1, 2, 3, 3]
    assert {"loss", "loss_first", "loss_second", "lr", "time", "data_time"} <= entries[0].keys()
    assert entries[3] == {"step": 3, "epoch": 1, "mAP": 3.0, "AR@1": 0.5}
    # Of a step after the last checkpoint, and of a crash while a line was written.
    path.write_text(first + '{"step": 4, "epoch": 2, "loss": 1.0}\n{"step": 5, "lo')
    last = str(tmp_path / "run/last.pth")
    _run(tmp_path, max_epochs=2, resume=True, load_from=last)
    lines = path.read_text()
    assert lines.startswith(first)
    steps = [json.loads(line)["step"] for line in lines.splitlines()]
    assert steps == [1, 2, 3, 3, 4, 5, 6, 6]
    assert read_metrics(path)[4]["loss"] != 1.0


def test_a_full_disk_ends_the_file_and_not_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_numbers(tmp_path / "data", good_numbers(4))
    runner = toy_runner(data, tmp_path / "run")
    hook = next(hook for hook in runner.hooks if type(hook).__name__ == "WriteMetrics")

    class Full:
        def write(self, text: bytes) -> None:
            raise OSError(28, "No space left on device")

    original = hook.before_train

    def before_train(runner) -> None:
        original(runner)
        hook._file = Full()

    monkeypatch.setattr(hook, "before_train", before_train)
    runner.train()
    assert runner.iter == 2
    assert log_of(runner).count("metrics.jsonl ends here (No space left on device)") == 1
