"""A short form of `run.py`: every reader, a few cases, always the same."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.fuzz.reader import Reader
from tests.fuzz.readers import NAMES, reader
from tests.fuzz.sandbox import run_cases
from vitdet.errors import UserError

# Hand-made cases are half of what is tried: they cost more than the others and find more.
_CASES = 24


@pytest.mark.parametrize("name", NAMES)
def test_hostile_files_are_read_or_refused(name: str) -> None:
    fuzzed = reader(name)
    by_hand = range(0, len(fuzzed.hostile), -(-len(fuzzed.hostile) // (_CASES // 2)))
    mutated = range(len(fuzzed.hostile), len(fuzzed.hostile) + _CASES // 2)
    outcomes = list(run_cases(fuzzed, [*by_hand, *mutated]))
    assert len(outcomes) == len(by_hand) + len(mutated)
    assert [outcome for outcome in outcomes if outcome.is_failure] == []


def _raise(error: BaseException) -> None:
    raise error


def _fill_memory(number_of_bytes: int) -> None:
    bytearray(b"x") * number_of_bytes


_ENDINGS = {
    "read": lambda: None,
    "refused": lambda: _raise(UserError("no such thing")),
    "traceback": lambda: _raise(KeyError("x")),
    "message": lambda: _raise(UserError("")),
    "memory": lambda: _fill_memory(400 << 20),
    "hang": lambda: sum(iter(int, 1)),
    "crash": lambda: os.kill(os.getpid(), signal.SIGSEGV),
}


@pytest.mark.parametrize("kind", _ENDINGS)
def test_the_sandbox_tells_how_a_case_ended(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.sandbox.MAX_SECONDS", 1.0)
    monkeypatch.setattr("tests.fuzz.sandbox._KILLED_AFTER", 2.0)  # of what no signal interrupts
    monkeypatch.setattr("tests.fuzz.sandbox.MAX_BYTES", 64 << 20)
    fake = Reader("fake", lambda folder, rng: kind, lambda given: _ENDINGS[given]())
    outcomes = list(run_cases(fake, [0, 1]))
    assert [(one.number, one.kind) for one in outcomes] == [(0, kind), (1, kind)]


def test_waiting_is_hanging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.sandbox.MAX_SECONDS", 0.2)
    fake = Reader("fake", lambda folder, rng: None, lambda given: time.sleep(60))
    assert [one.kind for one in run_cases(fake, [0])] == ["hang"]


def test_a_case_is_always_the_same(tmp_path: Path) -> None:
    texts = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        reader("coco").make(1000, folder)
        texts.append((folder / "train.json").read_bytes())
    assert texts[0] == texts[1]
