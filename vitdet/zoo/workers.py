"""Check many configs: each in a process of its own, with a limit of time and of memory."""

import importlib
import multiprocessing
import os
import signal
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from vitdet.zoo.offline import stay_offline
from vitdet.zoo.outcome import NO, Outcome

_LOADED_ONCE = ("mmdet.models", "mmseg.models", "vitdet.zoo.check")


@dataclass(frozen=True)
class Limits:
    """What one config may take: processor time, on Linux, and memory.

    Ten times as long on the clock ends it anywhere, whatever else the machine does.
    """

    seconds: int = 300
    gibibytes: float = 8


@dataclass
class _Worker:
    """One process at work on one config, and the last that it told."""

    name: str
    process: BaseProcess
    deadline: float
    outcome: Outcome | None = field(default=None)

    def ended(self, failure: str) -> Outcome:
        """The final outcome; `failure` says what ended the process, "" if nothing did."""
        if not failure:
            return self.outcome
        if self.outcome is None:
            return Outcome(NO, reason=failure)
        return replace(self.outcome, stepped=NO, reason=failure)


def check_all(
    names: Sequence[str], *, with_step: bool, jobs: int = 1, limits: Limits | None = None
) -> Iterator[tuple[str, Outcome]]:
    """Outcome of each config, as they come; `jobs` of them are checked at a time.

    Registries, threads and memory of one config cannot reach another. On Linux the libraries are
    loaded once, here, and each process is a fork of this one.
    """
    limits = limits or Limits()
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    if context.get_start_method() == "fork":
        for module in _LOADED_ONCE:
            importlib.import_module(module)
    waiting = list(reversed(names))
    running: dict[Connection, _Worker] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                name = waiting.pop()
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(
                    target=_work, args=(theirs, name, with_step, limits), daemon=True
                )
                process.start()
                theirs.close()
                running[ours] = _Worker(name, process, time.monotonic() + 10 * limits.seconds)
            yield from _collect(running, limits)
    finally:
        for worker in running.values():
            worker.process.kill()


def _collect(running: dict[Connection, _Worker], limits: Limits) -> Iterator[tuple[str, Outcome]]:
    """Wait a moment for news; take processes that ended, or have to, from `running`."""
    for connection in wait(list(running), timeout=0.5):
        worker = running[connection]
        try:
            worker.outcome = connection.recv()
        except EOFError:
            worker.process.join()
            yield worker.name, worker.ended(_failure(worker.process.exitcode, limits))
            del running[connection]
    for connection, worker in list(running.items()):
        if time.monotonic() > worker.deadline:
            worker.process.kill()
            yield worker.name, worker.ended(f"takes more than {10 * limits.seconds} s")
            del running[connection]


def _failure(exit_code: int | None, limits: Limits) -> str:
    if sys.platform == "linux" and exit_code == -signal.SIGXCPU:
        return f"takes more than {limits.seconds} s of processor time"
    return f"its process ended with {exit_code}" if exit_code else ""


def _work(connection: Connection, name: str, with_step: bool, limits: Limits) -> None:
    """What each process does: check one config in silence, and tell."""
    import torch

    from vitdet.zoo.check import check_config

    stay_offline()
    _apply(limits)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        for outcome in check_config(name, with_step=with_step):
            connection.send(outcome)


def _apply(limits: Limits) -> None:
    """Let the system end this process, or its allocations, beyond the limits, where it can."""
    if sys.platform == "linux":
        import resource

        size = int(limits.gibibytes * 2**30)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (limits.seconds, limits.seconds + 5))
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))
