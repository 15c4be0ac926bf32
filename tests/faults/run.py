"""Kill trainings with SIGKILL at random times, also while checkpoints are written, resume them, and
compare what comes out with trainings that were never stopped.

    python -m tests.faults.run --kills 200 --out benchmarks/results/faults.json
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import platform
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import torch

import vitdet  # noqa: F401  mmdet cannot be imported before it
from tests.faults import runs
from vitdet.engine import launch
from vitdet.engine.checkpoint_files import NEXT
from vitdet.engine.report_hook import KeepEvaluation

KILLS_OF_A_RUN = 8
LIMIT = 600  # seconds for one life of a run: more is a hang
_SHARE_AT_WRITES = 0.5


class Life:
    """One start of a training in processes of its own, to be waited for or killed.

    Processes are forked from this one, which has imported everything and computed nothing.
    """

    def __init__(self, kind: str, data: Path, folder: Path, *, resume: bool) -> None:
        context = multiprocessing.get_context("fork")
        count, port = runs.PROCESSES.get(kind, 1), _free_port()
        self.folder = folder
        self.left_over = self._unfinished()
        self.began = time.monotonic()
        self.processes = [
            context.Process(target=_live, args=(kind, data, folder, resume, rank, count, port))
            for rank in range(count)
        ]
        for process in self.processes:
            process.start()

    def is_over(self) -> bool:
        """Whether all processes have ended; a failure of one ends them all.

        Raises:
            RuntimeError: it failed, or ran longer than `LIMIT`.
        """
        codes = [process.exitcode for process in self.processes]
        if any(code not in (None, 0) for code in codes):
            self.kill()
            raise RuntimeError(f"{self.folder}: exit codes {codes}; see log_*.txt there")
        if time.monotonic() - self.began > LIMIT:
            self.kill()
            raise RuntimeError(f"{self.folder}: hangs for more than {LIMIT} s")
        return all(code == 0 for code in codes)

    def wait(self) -> float:
        """Wait for the end; returns the seconds that it took."""
        while not self.is_over():
            time.sleep(0.05)
        return time.monotonic() - self.began

    def kill(self) -> None:
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        for process in self.processes:
            process.join()

    def is_writing(self) -> bool:
        """Whether a checkpoint is being written, or waits to take its place."""
        return not self._unfinished() <= self.left_over

    def _unfinished(self) -> set[tuple[str, int]]:
        found = set()
        for path in (*self.folder.glob(".*.pth.*.tmp"), self.folder / NEXT):
            with contextlib.suppress(FileNotFoundError):
                found.add((path.name, path.stat().st_mtime_ns))
        return found


def kill_at_random(life: Life, seconds: float, dice: random.Random) -> str | None:
    """Kill a life that takes about `seconds`; returns when, or None if it was over before that."""
    at_a_write = dice.random() < _SHARE_AT_WRITES
    delay = dice.uniform(0, 0.004) if at_a_write else dice.uniform(0.1, 0.8) * seconds
    writes_before, was_writing = dice.randrange(4), False
    while not life.is_over():
        if at_a_write:
            is_writing = life.is_writing()
            writes_before -= is_writing and not was_writing
            was_writing = is_writing
        if writes_before < 0 or (not at_a_write and time.monotonic() - life.began > delay):
            time.sleep(delay if at_a_write else 0)
            life.kill()
            return "while a checkpoint is written" if life.is_writing() else "elsewhere"
        time.sleep(0.0002 if at_a_write else 0.01)
    return None


def survive(
    kind: str, data: Path, folder: Path, *, limits: tuple[float, int], dice: random.Random
) -> dict[str, Any]:
    """Train in `folder`, killed and resumed.

    Args:
        limits: seconds that a life takes, and the most kills, if less than `KILLS_OF_A_RUN`.

    Returns when it was killed, and why it was lost if it was: it failed, or hung.
    """
    result = dict(kind=kind, kills=[], lost=None, differing=[])
    seconds, count = limits
    try:
        while len(result["kills"]) < min(count, KILLS_OF_A_RUN):
            killed = kill_at_random(_next_life(kind, data, folder), seconds, dice)
            if killed is None:
                return result
            result["kills"].append(killed)
        _next_life(kind, data, folder).wait()
    except RuntimeError as error:
        result["lost"] = str(error)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=60, help="no run begins after that")
    parser.add_argument("--kinds", nargs="+", choices=list(runs.KINDS), default=list(runs.KINDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="json file for the result; gone on with")
    arguments = parser.parse_args()
    root, began = Path(tempfile.mkdtemp(prefix="faults_")), time.monotonic()
    references, result = {}, _result_so_far(arguments.out)
    while time.monotonic() - began < 60 * arguments.minutes:
        count = arguments.kills - sum(len(entry["kills"]) for entry in result)
        if count <= 0:
            break
        kind = arguments.kinds[len(result) % len(arguments.kinds)]
        reference = root / f"{kind}_reference"
        if kind not in references:
            references[kind] = Life(kind, root / "data", reference, resume=False).wait()
        dice = random.Random(f"{arguments.seed} {len(result)}")
        folder, limits = root / f"{kind}_{len(result)}", (references[kind], count)
        result.append(survive(kind, root / "data", folder, limits=limits, dice=dice))
        _compare(result[-1], folder, reference)
        if arguments.out is not None:
            system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
            about = dict(torch=torch.__version__, system=system, runs=result)
            arguments.out.write_text(json.dumps(_summary(result) | about, indent=1) + "\n")
    summary = _summary(result)
    sys.stdout.write(f"{json.dumps(summary)}\n")
    if summary["runs_that_differ"] or summary["runs_lost"]:
        sys.exit(f"they are kept in {root}")
    shutil.rmtree(root)


def _result_so_far(path: Path | None) -> list[dict]:
    return json.loads(path.read_text())["runs"] if path is not None and path.is_file() else []


def _compare(entry: dict[str, Any], folder: Path, reference: Path) -> None:
    """Complete the result of a run and say it; what is as it should be is deleted."""
    if entry["lost"] is None:
        entry["differing"] = runs.differences(folder, reference)
    bad = entry["lost"] or entry["differing"]
    sys.stdout.write(f"{entry['kind']}: {len(entry['kills'])} kills; {bad or 'as if unkilled'}\n")
    sys.stdout.flush()
    if not bad:
        shutil.rmtree(folder)


def _summary(result: list[dict]) -> dict[str, int]:
    kills = [kill for entry in result for kill in entry["kills"]]
    return dict(
        kills=len(kills),
        kills_while_a_checkpoint_is_written=kills.count("while a checkpoint is written"),
        runs_killed=len(result),
        runs_lost=sum(entry["lost"] is not None for entry in result),
        runs_that_differ=sum(bool(entry["differing"]) for entry in result),
    )


def _next_life(kind: str, data: Path, folder: Path) -> Life:
    return Life(kind, data, folder, resume=any(folder.glob("*.pth")))


def _live(
    kind: str, data: Path, folder: Path, resume: bool, rank: int, count: int, port: int
) -> None:
    """What a forked process does."""
    folder.mkdir(exist_ok=True)
    log = os.open(folder / f"log_{rank}.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if count > 1:
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(count))
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    _leave_out_what_is_slow()
    try:
        runs.train_kind(kind, data, folder, resume=resume)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def _leave_out_what_is_slow() -> None:
    """Pictures and the report."""
    launch.draw_sample_sheet = KeepEvaluation.write = lambda *_, **__: None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    main()
