"""Where a run writes: never over the checkpoints of another run."""

from pathlib import Path

from vitdet.errors import UserError

LAST = "last.pth"
BEST = "best.pth"


def holds_checkpoints(folder: Path) -> bool:
    """Whether a run has left checkpoints in `folder`."""
    return any(folder.glob("*.pth"))


def choose_work_dir(config_name: str, explicit: str | Path | None, *, resume: bool) -> Path:
    """The folder for a run.

    Without `explicit` it is `work_dirs/<config_name>`, or a numbered sibling of it when that one
    holds checkpoints; a resumed run goes on in the newest of those siblings.

    Raises:
        UserError: `explicit` holds checkpoints and the run is not resumed.
    """
    if explicit is not None:
        folder = Path(explicit)
        if holds_checkpoints(folder) and not resume:
            raise UserError(
                f"--work-dir {folder} holds checkpoints of another run; go on from them with "
                "--resume, or name another folder"
            )
        return folder
    base = Path("work_dirs") / config_name
    siblings = [base]
    while holds_checkpoints(siblings[-1]):
        siblings.append(base.with_name(f"{base.name}_{len(siblings) + 1}"))
    if resume and len(siblings) > 1:
        return siblings[-2]
    return siblings[-1]
