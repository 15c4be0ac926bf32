"""What `vitdet zoo list` and `vitdet zoo check` do."""

import random
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vitdet.errors import UserError
from vitdet.zoo.configs import LIBRARIES, zoo_names
from vitdet.zoo.outcome import NO, NOT_TRIED, YES, Outcome
from vitdet.zoo.report import read_outcomes, summary, write_outcomes, zoo_table
from vitdet.zoo.workers import Limits, check_all

_SAVED_EVERY = 30  # seconds


def select(library: str | None, text: str) -> list[str]:
    """Names of the configs of one library, or of both, that hold `text`.

    Raises:
        UserError: there is none.
    """
    libraries = [library] if library else LIBRARIES
    names = [name for one in libraries for name in zoo_names(one) if text in name]
    if not names:
        raise UserError(f"no config of {' or '.join(libraries)} has {text!r} in its name")
    return names


def list_configs(library: str | None = None, text: str = "") -> None:
    """Print the names of the configs."""
    sys.stdout.write("".join(f"{name}\n" for name in select(library, text)))


def check_configs(
    library: str | None = None,
    text: str = "",
    *,
    with_step: bool = False,
    sample: int | None = None,
    again: bool = False,
    jobs: int = 1,
    limits: Limits | None = None,
    folder: str | Path = "docs",
) -> None:
    """Check configs and write `zoo.json` and, from all that is in it, `zoo.md` into `folder`.

    What `zoo.json` already tells is not tried again unless `again`, so an interrupted check goes on
    and parts add up. Nor is a step whose twin was tried, if `zoo.json` says that both build.
    `sample` checks that many only, chosen at random but always the same.

    Raises:
        UserError: no config has such a name.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "zoo.json"
    outcomes = read_outcomes(kept)
    names = select(library, text)
    if sample is not None:
        names = sorted(random.Random(0).sample(names, min(sample, len(names))))
    if not again:
        names = [name for name in names if _is_open(outcomes.get(name), with_step)]
    names = _most_distinct_first(names, outcomes)
    twins = _twins(names, outcomes) if with_step and not again else {}
    single = [name for name in names if twins.get(name, name) == name]
    try:
        _check_with_progress(single, outcomes, kept, with_step, jobs, limits)
    finally:
        _tell_twins(twins, outcomes)
        write_outcomes(kept, outcomes)
        (folder / "zoo.md").write_text(zoo_table(outcomes))
    sys.stdout.write(f"{summary(outcomes)}{folder / 'zoo.md'} is written\n")


def _most_distinct_first(names: Sequence[str], outcomes: Mapping[str, Outcome]) -> list[str]:
    """The smallest of each folder, as far as sizes are known, then the next of each, and so on.

    So a check that is ended early has seen every kind of model.
    """
    folders = defaultdict(list)
    for name in names:
        folders[name.rpartition("/")[0]].append(name)
    turns = []
    for members in folders.values():
        members.sort(key=lambda name: outcomes[name].parameters if name in outcomes else 0)
        turns += enumerate(members)
    return [name for _, name in sorted(turns)]


def _twins(names: Sequence[str], outcomes: Mapping[str, Outcome]) -> dict[str, str]:
    """For each name the config in its folder that stands for it: one stepped before, if any."""
    from vitdet.zoo.twins import find_twins  # brings torch along

    folders = {name.rpartition("/")[0] for name in names}
    stepped = [
        name
        for name, outcome in outcomes.items()
        if outcome.stepped in (YES, NO) and name.rpartition("/")[0] in folders
    ]
    built = [name for name in names if name in outcomes and outcomes[name].built == YES]
    return find_twins([*stepped, *built])


def _tell_twins(twins: Mapping[str, str], outcomes: dict[str, Outcome]) -> None:
    """Give the outcome of what was stepped to what is the same."""
    for name, other in twins.items():
        told = outcomes[other]
        if _is_open(outcomes[name], True) and told.stepped != NOT_TRIED:
            reason = told.reason or f"as {other}"
            outcomes[name] = replace(outcomes[name], stepped=told.stepped, reason=reason)


def _is_open(outcome: Outcome | None, with_step: bool) -> bool:
    if outcome is None:
        return True
    return with_step and outcome.built == YES and outcome.stepped == NOT_TRIED


def _check_with_progress(
    names: Sequence[str],
    outcomes: dict[str, Outcome],
    kept: Path,
    with_step: bool,
    jobs: int,
    limits: Limits | None,
) -> None:
    """Check `names` into `outcomes`; failures are printed as they come."""
    # No refreshing thread: processes are forked from this one.
    progress = Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
        console=Console(file=sys.stdout, soft_wrap=True),
        auto_refresh=False,
    )
    with progress:
        task = progress.add_task("", total=len(names))
        saved = time.monotonic()
        checked = check_all(names, with_step=with_step, jobs=jobs, limits=limits)
        for number, (name, outcome) in enumerate(checked, 1):
            outcomes[name] = outcome
            if NO in (outcome.built, outcome.stepped):
                progress.console.print(f"{name}: {outcome.reason}", markup=False, highlight=False)
            progress.update(task, completed=number, description=name, refresh=True)
            if time.monotonic() - saved > _SAVED_EVERY:
                write_outcomes(kept, outcomes)
                saved = time.monotonic()
