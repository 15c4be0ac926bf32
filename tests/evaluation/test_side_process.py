import operator
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from vitdet.evaluation.side_process import SideProcess


def test_results_come_in_order() -> None:
    side = SideProcess(partial(partial, pow, 2))
    for exponent in (3, 0, 100):
        side.put(exponent)
    assert side.results() == [8, 1, 2**100]


def test_nothing_put_in() -> None:
    assert SideProcess(partial(partial, pow, 2)).results() == []


def test_what_fails_there_is_told() -> None:
    side = SideProcess(partial(partial, operator.truediv, 1))
    for divisor in (2, 0, 4):
        side.put(divisor)
    with pytest.raises(RuntimeError, match="ZeroDivisionError: division by zero"):
        side.results()


@pytest.mark.parametrize("build", [partial(partial, os._exit), partial(os._exit, 7)], ids=str)
def test_its_sudden_end_is_told(build: partial) -> None:
    side = SideProcess(build)
    for _ in range(3):
        side.put(7)
    with pytest.raises(RuntimeError, match="exit code 7"):
        side.results()


def test_nobody_waits_for_it_to_take_what_it_is_handed() -> None:
    side = SideProcess(partial(partial, operator.mul, 1))
    side.put(b"0" * 100_000_000)  # a pipe holds a thousandth of that
    assert side._process.poll() is None
    side.close()
    assert side._process.poll() is not None


OWNER = """
import time, operator
from functools import partial
from vitdet.evaluation.side_process import SideProcess

side = SideProcess(partial(partial, operator.mul, 1))
side.put(1)
print(side._process.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="needs /proc")
def test_it_ends_with_its_owner_however_that_ends() -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE) as owner:
        process = Path("/proc") / owner.stdout.readline().decode().strip()
        assert process.is_dir()
        owner.kill()
    deadline = time.monotonic() + 60
    while _is_running(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_running(process)


def _is_running(process: Path) -> bool:
    try:  # a zombie has ended; nobody may be there to ask for its exit code
        return process.joinpath("stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
