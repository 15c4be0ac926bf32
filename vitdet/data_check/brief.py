"""The check before a training: in seconds, and only what a training cannot live with stops it."""

from vitdet.data_check.check import DataCheck
from vitdet.data_check.mend import EMPTY, mend
from vitdet.datasets.formats.data_folder import DataFolder
from vitdet.errors import UserError

_MAX_LOST = 0.5  # share of a split from which on a mended copy is something else than was meant


def check_brief(folder: DataFolder) -> tuple[DataFolder, DataCheck]:
    """What to train on, and what was found of the data; of many images only some heads are read.

    Where there are errors, that is a mended copy.

    Raises UserError, in one line, where mending does not help: a split is empty, or would lose half
    of its images or annotations.
    """
    check = DataCheck(folder, reading="brief")
    for finding in check.findings:
        if finding.kind in EMPTY:
            source = folder.splits[finding.split].source
            what = finding.examples[0].what
            raise UserError(f"{source}: {what}: label images, or leave this split out")
    if not check.has_errors:
        return folder, check
    mended = mend(check)
    _refuse_great_loss(check, mended)
    return mended, check


def _refuse_great_loss(check: DataCheck, mended: DataFolder) -> None:
    for name, split in check.folder.splits.items():
        left = mended.splits[name].coco if name in mended.splits else {}
        for level in ("images", "annotations"):
            before, after = len(split.coco[level]), len(left.get(level, ()))
            if before - after >= max(_MAX_LOST * before, 1):
                errors = [
                    one for one in check.findings if one.severity == "error" and one.split == name
                ]
                worst = max(errors, key=lambda one: one.count)
                first = worst.examples[0]
                raise UserError(
                    f"{before - after} of {before} {level} of {split.source} cannot be used, most "
                    f"of all: {worst.kind}, {worst.count} times, as in {first.file} {first.id} "
                    f"({first.what}). `vitdet check-data {check.folder.root}` lists all"
                )
