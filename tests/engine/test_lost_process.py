"""One of two processes is killed: the other ends soon, with one line and the documented code."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.context import ForkProcess
from pathlib import Path

import pytest

from tests.engine.conftest import TINY
from tests.processes import start_processes
from vitdet import cli
from vitdet.engine.metrics_file import read_metrics

PATIENCE = 60  # seconds, on a machine that does other things
pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs fork and /proc")


def _command(data: Path, folder: Path) -> list[str]:
    options = ["train_cfg.max_epochs=100000", "train_cfg.val_interval=100000"]
    options += ["train_dataloader.num_workers=1", "train_dataloader.persistent_workers=True"]
    return [
        *("train", str(TINY), "--data", str(data), "--work-dir", str(folder)),
        *("--device", "cpu", "--launcher", "pytorch", "--cfg-options", *options),
    ]


def _live(data: Path, folder: Path) -> None:
    sys.stderr = folder.with_name(f"said_{os.environ['RANK']}").open("w")
    cli.main(_command(data, folder))


def _started(data: Path, folder: Path) -> list[ForkProcess]:
    processes = start_processes(2, _live, data, folder)
    _wait_for_steps(folder, lambda: any(process.exitcode for process in processes))
    return processes


def _wait_for_steps(folder: Path, has_failed: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while len(read_metrics(folder / "metrics.jsonl")) < 3:
        assert not has_failed() and time.monotonic() < end
        time.sleep(0.1)


def _children(process: int) -> list[int]:
    """Whom `process` has forked in its main thread."""
    return [
        int(pid) for pid in Path(f"/proc/{process}/task/{process}/children").read_text().split()
    ]


def _end(processes: list[ForkProcess]) -> list[int | None]:
    """The exit codes."""
    for process in processes:
        process.join(PATIENCE)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
    return codes


def _complaints(folder: Path, *ranks: int) -> list[str]:
    said = "".join(folder.with_name(f"said_{rank}").read_text() for rank in ranks)
    assert "Traceback" not in said
    return [line for line in said.splitlines() if "error:" in line]


@pytest.mark.parametrize("rank", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_a_killed_process_ends_the_other(rank: int, data: Path, tmp_path: Path) -> None:
    processes = _started(data, tmp_path / "run")
    os.kill(processes[rank].pid, signal.SIGKILL)
    assert _end(processes)[1 - rank] == 69
    (line,) = _complaints(tmp_path / "run", 1 - rank)
    assert line.startswith("vitdet train: error: another process of this run has ended")
    assert line.endswith("goes on from its last checkpoint with --resume")


@pytest.mark.slow
def test_the_line_is_that_of_the_process_that_failed(data: Path, tmp_path: Path) -> None:
    processes = _started(data, tmp_path / "run")
    (worker,) = _children(processes[1].pid)
    os.kill(worker, signal.SIGKILL)
    assert _end(processes) == [69, 2]
    (line,) = _complaints(tmp_path / "run", 0, 1)
    assert line.startswith("vitdet train: error: a process of the data loader has ended")


@pytest.mark.slow  # two processes import everything
def test_torchrun_says_so_too(data: Path, tmp_path: Path) -> None:
    script = TINY.parents[2] / "tools" / "train.py"
    _, *arguments = _command(data, tmp_path / "run")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    with (tmp_path / "said").open("w") as said:
        launcher = subprocess.Popen([*torchrun, str(script), *arguments], stderr=said)
    try:
        _wait_for_steps(tmp_path / "run", lambda: launcher.poll() is not None)
        os.kill(_children(launcher.pid)[1], signal.SIGKILL)
        assert launcher.wait(PATIENCE) == 1  # torchrun's own, whatever the processes' codes
    finally:
        launcher.kill()
    text = (tmp_path / "said").read_text()
    assert text.count("vitdet train: error: another process of this run has ended") == 1
    assert "exitcode  : -9" in text
