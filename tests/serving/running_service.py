"""The command itself in a process of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextmanager
def running_service(
    checkpoint: Path, options: Sequence[str] = (), *, errors: Path | None = None
) -> Iterator[tuple[subprocess.Popen, str]]:
    """The process of `vitdet serve` and its address; what it says on stderr goes to `errors`."""
    words = [sys.executable, str(ROOT / "tools/serve.py"), str(checkpoint), "--port", "0", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with open(errors or os.devnull, "w") as log:
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
        )
    try:
        first = process.stdout.readline()
        found = re.search(r"answers at (http://\S+)/,", first)
        if found is None:
            raise RuntimeError(f"the service did not start: {first!r}, exit code {process.wait()}")
        yield process, found[1]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
