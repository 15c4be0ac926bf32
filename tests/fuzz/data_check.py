"""`vitdet check-data` with `--fix` and `--html`, on folders of every format."""

import io
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fuzz import coco, cvat, labelme, via, voc, yolo
from tests.fuzz.reader import Hostile, Reader
from vitdet.cli import main
from vitdet.errors import UserError

_FORMATS = (coco, voc, yolo, labelme, via, cvat)


def _inside(write: Callable[..., Any]) -> Callable[..., Any]:
    """The data in a folder of their own, so that there is room for what is written."""

    def case(folder: Path, *rest: Any) -> Path:
        (folder / "data").mkdir()
        return write(folder / "data", *rest)

    return case


def write(folder: Path, rng: random.Random) -> Path:
    form = coco if rng.random() < 0.5 else rng.choice(_FORMATS)
    return _inside(form.write)(folder, rng)


HOSTILE: list[Hostile] = [_inside(case) for form in _FORMATS for case in form.HOSTILE]


def read(folder: Path) -> None:
    """As the command does it, which says what is wrong on stderr and ends with a code."""
    sys.stderr = io.StringIO()
    outside = folder.parent
    try:
        main(
            ["check-data", str(folder), "--fix", f"{outside}/mended", "--html", f"{outside}/p.html"]
        )
    except SystemExit as ended:
        assert ended.code in (1, 2), ended.code
        if ended.code == 2:
            raise UserError(sys.stderr.getvalue().rstrip("\n")) from None
    sys.stdout.flush()


READER = Reader("data_check", write, read, HOSTILE)
