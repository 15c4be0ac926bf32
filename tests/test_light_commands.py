"""Commands that look at labels or names only do not wait for torch."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.data_check.clean_folder import write_clean_folder

RUN = """
import sys
from vitdet.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert end.code in (None, 0, 1), end.code
heavy = [name for name in ("torch", "mmengine", "mmdet", "mmseg", "scipy") if name in sys.modules]
print("loaded:", *heavy)
"""


@pytest.mark.parametrize(
    "command",
    [
        ["--help"],
        ["check-data", "{data}", "--html", "{new}.html", "--fix", "{new}"],
        ["convert-data", "{data}", "{new}"],
        ["zoo", "list", "mmdet"],
    ],
    ids=lambda command: command[0],
)
def test_nothing_heavy_is_imported(command: list[str], tmp_path: Path) -> None:
    data = write_clean_folder(tmp_path / "data")
    words = [word.format(data=data, new=tmp_path / "new") for word in command]
    done = subprocess.run(
        [sys.executable, "-c", RUN, *words], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "loaded:"
