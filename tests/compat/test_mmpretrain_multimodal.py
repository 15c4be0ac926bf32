"""mmpretrain leaves its language models out where transformers no longer has their parts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = "import vitdet, mmpretrain.utils.dependency as d; print(d.WITH_MULTIMODAL)"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("parts", "wanted", "kept"),
    [("apply_chunking_to_forward = 1", True, True), ("", True, False), ("", False, False)],
)
def test_switch(tmp_path: Path, parts: str, wanted: bool, kept: bool) -> None:
    write(tmp_path / "transformers/__init__.py", "")
    write(tmp_path / "transformers/modeling_utils.py", parts)
    for package in ("mmpretrain", "mmpretrain/utils"):
        write(tmp_path / package / "__init__.py", "")
    write(tmp_path / "mmpretrain/utils/dependency.py", f"WITH_MULTIMODAL = {wanted}\n")
    paths = [str(tmp_path), os.getcwd(), *sys.path]
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )
    assert ended.stdout.strip() == str(kept)
