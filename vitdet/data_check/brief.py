"""The check before a training: in seconds, and only what a training cannot live with stops it."""

from vitdet.data_check.check import DataCheck
from vitdet.data_check.finding import Finding
from vitdet.data_check.mend import EMPTY, MENDS
from vitdet.datasets.formats.data_folder import DataFolder
from vitdet.errors import UserError

# Of a list, above which mending by leaving out would train on something else than was meant.
_MAX_LEFT_OUT = 0.5
_LEAVING_OUT = ("left out", "dropped", "its image left out")  # how such actions begin


def check_brief(folder: DataFolder) -> list[Finding]:
    """What is wrong with a data set, errors first; of images only some heads are read.

    `mend` of the same folder is what can be trained on.

    Raises UserError, in one line, where mending does not help: nothing to train on, or an error
    whose mend would leave out most of the images, annotations or categories of a split.
    """
    check = DataCheck(folder, reading="heads")
    for finding in check.findings:
        if finding.severity != "error":
            continue
        entries = getattr(check.splits[finding.split], finding.level)
        is_most = finding.count > _MAX_LEFT_OUT * len(entries)
        if finding.kind in EMPTY or (_leaves_out(finding) and is_most):
            raise UserError(_message(folder, finding, len(entries)))
    return check.findings


def _leaves_out(finding: Finding) -> bool:
    return finding.kind in MENDS and finding.action.startswith(_LEAVING_OUT)


def _message(folder: DataFolder, finding: Finding, num_entries: int) -> str:
    first = finding.examples[0]
    place = " ".join(f"{first.file} {first.id}".split())
    source = folder.splits[finding.split].source
    if finding.kind in EMPTY:
        return f"{source}: {first.what}: there is nothing to learn from"
    return (
        f"{finding.kind}: {finding.count} of {num_entries} {finding.level} of {source}, the first "
        f"{place}: {first.what}. `vitdet check-data {folder.root}` lists them"
    )
