"""A short form of `python -m tests.faults.run`; the long one takes minutes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("kills", "kinds"),
    [
        (2, ["steps"]),
        pytest.param(48, ["epochs", "steps", "accumulated", "detector"], marks=pytest.mark.slow),
        pytest.param(16, ["epochs_two_processes", "steps_two_processes"], marks=pytest.mark.slow),
    ],
)
def test_killed_runs_end_as_if_they_had_not_been(
    kills: int, kinds: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "faults.json"
    command = [sys.executable, "-m", "tests.faults.run", "--kills", kills, "--out", out]
    done = subprocess.run(
        [*map(str, command), "--kinds", *kinds], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(out.read_text())
    assert result["kills"] >= kills
    assert result["runs_that_differ"] == 0
