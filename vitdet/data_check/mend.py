"""A mended copy of a checked data set: what each finding's `action` says, done."""

from collections.abc import Callable, Mapping

import numpy as np

from vitdet.data_check import mend_annotations, mend_entries
from vitdet.data_check.align_categories import align_categories
from vitdet.data_check.check import DataCheck
from vitdet.data_check.check_splits import training_split
from vitdet.data_check.finding import Finding
from vitdet.data_check.mended_split import MendedSplit
from vitdet.datasets.formats.data_folder import DataFolder

Mend = Callable[[MendedSplit, np.ndarray], None]

# In this order: what is written wrongly, then what contradicts, at last what is left out.
MENDS: Mapping[str, Mend] = {**mend_annotations.MENDS, **mend_entries.MENDS}
ALIGNED = (
    "category id of another class in train",
    "category that train does not list",
    "category that only train lists",
)
EMPTY = ("split without images", "split without annotations")
LEAKS = ("same picture in two splits", "image listed in two splits")
_MAX_ROUNDS = 8  # one mend may bring another to light: a box turned into pixels reaches out


def mend(check: DataCheck) -> DataFolder:
    """The data as they are after all mends; what was checked stays as it is.

    Images are not touched: their entries name the same files. A training split that is empty, or
    that would be, stays and is an error still.
    """
    folder = check.folder
    for _ in range(_MAX_ROUNDS):
        mended = _mend_once(check)
        if mended is None:
            break
        folder = mended
        check = DataCheck(folder, reading="names", known=check.files.read)
    return folder


def is_mended(finding: Finding) -> bool:
    """Whether `mend` does something about this kind."""
    return finding.kind in MENDS or finding.kind in (*ALIGNED, *EMPTY, *LEAKS)


def _mend_once(check: DataCheck) -> DataFolder | None:
    """All mends of what was found, or None if there was nothing to do."""
    train = training_split(check.splits)
    splits = {name: MendedSplit(columns, check.files) for name, columns in check.splits.items()}
    is_changed = False
    order = {kind: place for place, kind in enumerate(MENDS)}
    findings = [one for one in check.findings if one.kind in MENDS]
    for finding in sorted(findings, key=lambda one: order[one.kind]):
        MENDS[finding.kind](splits[finding.split], finding.rows)
        is_changed = True
    for finding in check.findings:
        if finding.kind in LEAKS and finding.count < len(train.images) / 2:
            splits[finding.split].leave_images_out(finding.rows)
            is_changed = True
        elif finding.kind in EMPTY and finding.split != train.split.name:
            del splits[finding.split]
            is_changed = True
    # Not while categories of one split change: what differs still is found in the next round.
    is_settled = not any(one.level == "categories" for one in findings)
    if is_settled and any(finding.kind in ALIGNED for finding in check.findings):
        align_categories(splits, first=train.split.name)
        is_changed = True
    if not is_changed:
        return None
    folder = check.folder
    coco = {name: split.to_split() for name, split in splits.items()}
    return DataFolder(folder.root, folder.format, coco, folder.notes)
