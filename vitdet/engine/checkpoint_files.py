"""The files that a run goes on from: the newest, those before it, and whether they are whole."""

import os
import zipfile
from pathlib import Path

from vitdet.engine.work_dir import LAST
from vitdet.errors import UserError

NEXT = "next.pth"
"""A complete checkpoint that has yet to take the place of `last.pth`."""


def previous_name(age: int) -> str:
    """Name of the checkpoint that was saved `age` times before `last.pth`."""
    return f"{Path(LAST).stem}.{age}.pth"


def promote_next(folder: Path, keep: int) -> None:
    """Make `next.pth` the `last.pth`, which lives on as `last.1.pth`; `keep` files are kept.

    Whenever the process is killed, the newest complete file stands under one of those names.
    """
    for age in range(keep - 2, 0, -1):
        if (folder / previous_name(age)).is_file():
            os.replace(folder / previous_name(age), folder / previous_name(age + 1))
    if keep > 1 and (folder / LAST).is_file():
        os.replace(folder / LAST, folder / previous_name(1))
    os.replace(folder / NEXT, folder / LAST)


def drop_previous(folder: Path) -> bool:
    """Make room by deleting what is older than `last.pth`, if that is there; whether it did."""
    old = [path for path in folder.glob(previous_name("*")) if (folder / LAST).is_file()]
    for path in old:
        path.unlink()
    return bool(old)


def remove_leftovers(folder: Path) -> None:
    """Delete what a killed process has left of the checkpoints that it was writing."""
    for path in folder.glob(".*.pth.*.tmp"):
        path.unlink(missing_ok=True)


def damage_of(path: Path) -> str | None:
    """What is wrong with a file of `torch.save`: None, or a few words.

    Each record of the zip carries a CRC-32, which torch writes and does not check when it loads.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except zipfile.BadZipFile:
        return "it is cut off, or no checkpoint"
    except (OSError, EOFError, NotImplementedError) as error:
        return f"it cannot be read: {error}"
    return f"the checksum of its part {broken} differs" if broken else None


def newest_checkpoint(folder: Path) -> tuple[Path, dict[Path, str]]:
    """The newest whole checkpoint of a run, and what is wrong with each newer one.

    Raises:
        UserError: there is none.
    """
    skipped = {}
    for path in _newest_first(folder):
        damage = damage_of(path)
        if damage is None:
            return path, skipped
        skipped[path] = damage
    if skipped:
        problems = "; ".join(f"{path.name}: {damage}" for path, damage in skipped.items())
        raise UserError(
            f"--resume: no checkpoint in {folder} is whole ({problems}); start anew in another "
            "--work-dir, from weights with load_from=FILE if you have some"
        )
    raise UserError(
        f"--resume: no checkpoint {folder / LAST}; leave --resume out to start a new run"
    )


def set_aside(path: Path) -> Path:
    """Rename a damaged checkpoint, so that it neither takes a good one's place nor its name."""
    return path.replace(path.with_suffix(".damaged"))


def _newest_first(folder: Path) -> list[Path]:
    previous = sorted(
        (path for path in folder.glob(previous_name("*")) if path.suffixes[0][1:].isdigit()),
        key=lambda path: int(path.suffixes[0][1:]),
    )
    return [path for path in (folder / NEXT, folder / LAST, *previous) if path.is_file()]
