"""Cases are read in a forked process that may hang, fill the memory or crash without harm.

A process serves many cases: it starts with all imports done, so that thousands take minutes.
"""

import ctypes
import gc
import io
import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.fuzz.reader import Reader
from vitdet.errors import UserError

MAX_SECONDS = 5.0
MAX_BYTES = 1 << 30
_HARD_BYTES = 3 << 30  # beyond what is measured: no case may harm the machine
# For a process that does not end a case by itself: of processor time, and of waiting altogether.
_KILLED_AFTER = 6 * MAX_SECONDS
_GIVEN_UP_AFTER = 600.0
_CASES_PER_PROCESS = 250
_MAX_MESSAGE = 2000
_M_ARENA_MAX = -8  # of mallopt: a reserve for each thread is not memory in use


@dataclass(frozen=True)
class Outcome:
    """How a case ended: `read` or `refused`; of the failures `traceback`, `message` (several lines,
    or far too long), `hang`, `memory` or `crash`. `detail` says more."""

    number: int
    kind: str
    detail: str = ""

    @property
    def is_failure(self) -> bool:
        return self.kind not in ("read", "refused")


class _Hang(BaseException):
    """Raised in a case that takes too long; no `except Exception` may swallow it."""


def run_cases(reader: Reader, numbers: Sequence[int], *, seed: int = 0) -> Iterator[Outcome]:
    """The outcome of each case, in order."""
    left = list(numbers)
    while left:
        batch = left[:_CASES_PER_PROCESS]
        done = 0
        for outcome in _run_process(reader, batch, seed):
            yield outcome
            done += 1
        left = left[done:]


def _run_process(reader: Reader, numbers: list[int], seed: int) -> Iterator[Outcome]:
    """Outcomes until the process ends; that of the case in which it ended by force is the last."""
    source, sink = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(source)
        _serve(reader, numbers, seed, sink)
    os.close(sink)
    done = 0
    try:
        with os.fdopen(source, "rb") as lines:
            while done < len(numbers):
                line = lines.readline() if _is_answered(lines, child) else b""
                if not line:
                    break
                yield Outcome(**json.loads(line))
                done += 1
    finally:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if done < len(numbers):
        died = os.waitstatus_to_exitcode(status)
        ended = f"the process ended with {died}"
        kind = "crash" if died != -signal.SIGKILL else "hang"
        yield Outcome(numbers[done], kind, ended if kind == "crash" else "had to be killed")


def _is_answered(lines: io.BufferedReader, child: int) -> bool:
    """Wait for the outcome of a case. Other processes may keep this one from running for long."""
    began, used = time.monotonic(), _processor_seconds(child)
    while time.monotonic() - began < _GIVEN_UP_AFTER:
        if select.select([lines], [], [], 1)[0]:
            return True
        if _processor_seconds(child) - used > _KILLED_AFTER:
            return False
    return False


def _processor_seconds(process: int) -> float:
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _serve(reader: Reader, numbers: list[int], seed: int, sink: int) -> None:
    """The forked process: reads case by case and writes a line for each."""
    try:
        _limit_process()
        with os.fdopen(sink, "wb", buffering=0) as lines:
            for number in numbers:
                outcome = _run_case(reader, number, seed)
                lines.write(json.dumps(asdict(outcome)).encode() + b"\n")
        signal.pause()  # the parent ends it: what is open here is the parent's too
    finally:
        os._exit(70)


def _limit_process() -> None:
    ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + _HARD_BYTES, used + _HARD_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, _raise_hang)
    gc.freeze()  # what is imported is looked through no more
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)


def _raise_hang(number: int, frame: Any) -> None:
    raise _Hang


def _watch_waiting() -> None:
    """Waiting is hanging too; only how long it takes says nothing where other processes run."""
    used, quiet = time.process_time(), 0

    def look(number: int, frame: Any) -> None:
        nonlocal used, quiet
        quiet = quiet + 1 if time.process_time() - used < 0.01 else 0
        used = time.process_time()
        if quiet == 3:
            raise _Hang

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, MAX_SECONDS, MAX_SECONDS)


def _run_case(reader: Reader, number: int, seed: int) -> Outcome:
    folder = Path(tempfile.mkdtemp(prefix="fuzz.", dir=_fast_disk()))
    try:
        given = reader.make(number, folder, seed=seed)
        before = _reset_peak()
        kind, detail = _read(reader, given)
        grown = _peak() - before
        if grown > MAX_BYTES and kind in ("read", "refused"):
            kind, detail = "memory", f"{grown >> 20} MiB"
        return Outcome(number, kind, detail)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _read(reader: Reader, given: Any) -> tuple[str, str]:
    began = time.monotonic()
    sys.stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")  # as strict as a real one
    try:
        signal.setitimer(signal.ITIMER_PROF, MAX_SECONDS)  # of processor time
        _watch_waiting()
        try:
            reader.read(given)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
    except UserError as error:
        return _judge_message(str(error))
    except _Hang:
        return "hang", f"{time.monotonic() - began:.1f} s: {_last_lines()}"
    except MemoryError:
        return "memory", _last_lines()
    except BaseException:
        return "traceback", _last_lines()
    return "read", ""


def _judge_message(text: str) -> tuple[str, str]:
    if not text or len(text.splitlines()) != 1 or len(text) > _MAX_MESSAGE:
        return "message", f"{len(text)} characters, {len(text.splitlines())} lines: {text[:300]!r}"
    return "refused", text[:200]


def _last_lines() -> str:
    kind, error, trace = sys.exc_info()
    frames = [f for f in traceback.extract_tb(trace) if "fuzz" not in Path(f.filename).parts]
    places = [f"{'/'.join(Path(f.filename).parts[-2:])}:{f.lineno}" for f in frames[-6:]]
    return f"{kind.__name__}: {str(error)[:150]!r} at {' > '.join(places)}"


def _reset_peak() -> int:
    Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    """Bytes that were in memory at most."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) << 10
    raise AssertionError("the kernel tells no peak")


def _fast_disk() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
