"""A torchvision that was built for another torch is reported in one line with the remedy."""

import os
import subprocess
import sys

import pytest

SCRIPT = """if True:
    import vitdet
    from vitdet.errors import UserError
    try:
        import torchvision
    except UserError as error:
        print(error)
"""


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        ("operator torchvision::nms does not exist", "was built for another torch than"),
        ("something else", ""),
    ],
)
def test_only_the_mismatch_is_translated(tmp_path, failure, said):
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(f"raise RuntimeError({failure!r})")
    paths = [str(tmp_path), os.getcwd(), *sys.path]
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )
    if said:
        assert said in ended.stdout and "pip install --force-reinstall" in ended.stdout
        assert len(ended.stdout.splitlines()) == 1
        assert ended.stderr == ""
    else:
        assert ended.stdout == ""
        assert f"RuntimeError: {failure}" in ended.stderr
