"""A run that ends early and is resumed gives the losses and weights of one that did not."""

import errno
import functools
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from tests.faults.runs import KINDS, STEPS, differences, losses_of
from vitdet import cli
from vitdet.checkpoints.files import read_checkpoint
from vitdet.compat import checkpoint_saving
from vitdet.engine import train
from vitdet.errors import StoppedError, UserError


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the run catches it."""


@HOOKS.register_module()
class At(Hook):
    """Does something after a step, before anything of it is saved."""

    priority = "VERY_HIGH"

    def __init__(self, step: int, what: str) -> None:
        self.step = step
        self.what = what

    def after_train_iter(self, runner: Any, **_: Any) -> None:
        if runner.iter + 1 != self.step:
            return
        if self.what == "kill":
            raise Killed
        if self.what.startswith("SIG"):
            os.kill(os.getpid(), signal.Signals[self.what])

    def before_val_epoch(self, runner: Any, **_: Any) -> None:
        if self.what == "kill in evaluation" and runner.iter >= self.step:
            raise Killed


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitdet.engine.launch.draw_sample_sheet", lambda *_, **__: None)
    monkeypatch.setattr("vitdet.engine.report_hook.write_report", lambda *_, **__: None)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="module")
def references(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of the run of a kind that is never stopped."""
    return functools.cache(lambda kind: run(kind, images, tmp_path_factory.mktemp("reference")))


def run(
    kind: str, images: Path, folder: Path, *events: tuple[int, str], resume: bool = False
) -> Path:
    config = KINDS[kind](images)
    config.train_dataloader.update(num_workers=0, persistent_workers=False)
    hooks = [dict(type="At", step=step, what=what) for step, what in events]
    config.custom_hooks = [*config.custom_hooks, *hooks]
    return train(config, folder, resume=resume, device="cpu")


@pytest.mark.parametrize("kind", ["epochs", pytest.param("steps", marks=pytest.mark.slow)])
def test_killed_between_saves_it_ends_the_same(
    kind: str, images: Path, references: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(Killed):
        run(kind, images, tmp_path, (6, "kill"))
    assert 0 < read_checkpoint(tmp_path / "last.pth")["meta"]["iter"] < 6
    with pytest.raises(Killed):
        run(kind, images, tmp_path, (8, "kill in evaluation"), resume=True)
    run(kind, images, tmp_path, resume=True)
    assert not differences(tmp_path, references(kind))
    assert len(losses_of(tmp_path)) == STEPS
    ours, theirs = (
        read_checkpoint(folder / "best.pth")["meta"] for folder in (tmp_path, references(kind))
    )
    assert (ours["best_score"], ours["iter"]) == (theirs["best_score"], theirs["iter"])


def test_an_epoch_that_is_gone_on_with_is_not_evaluated_before_its_end(
    images: Path, references: Callable[[str], Path], tmp_path: Path
) -> None:
    """What would be saved after that evaluation says that the epoch has yet to begin."""
    with pytest.raises(StoppedError):
        run("epochs", images, tmp_path, (9, "SIGTERM"))  # the first step after an evaluation
    with pytest.raises(Killed):
        run("epochs", images, tmp_path, (11, "kill"), resume=True)
    run("epochs", images, tmp_path, resume=True)
    assert not differences(tmp_path, references("epochs"))


def test_a_signal_waits_for_accumulated_gradients_and_saves(
    images: Path, references: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(StoppedError, match="SIGTERM"):
        run("accumulated", images, tmp_path, (5, "SIGTERM"), (5, "SIGTERM"))
    assert read_checkpoint(tmp_path / "last.pth")["meta"]["iter"] == 6  # gradients of three steps
    log = next(tmp_path.glob("*/*.log")).read_text()
    assert f"stopped by SIGTERM; {tmp_path / 'last.pth'} was saved after step 6" in log
    assert f"--work-dir {tmp_path} --resume" in log
    run("accumulated", images, tmp_path, resume=True)
    assert not differences(tmp_path, references("accumulated"))


def test_a_damaged_last_file_costs_the_time_since_the_one_before(
    images: Path, references: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run("steps", images, tmp_path, (5, "SIGINT"))
    last = tmp_path / "last.pth"
    assert read_checkpoint(last)["meta"]["iter"] == 5
    last.write_bytes(last.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"last.pth: it is cut off.*newest whole one"):
        train(KINDS["steps"](images), tmp_path, resume=str(last), device="cpu")
    run("steps", images, tmp_path, resume=True)
    assert not differences(tmp_path, references("steps"))
    logs = "".join(path.read_text() for path in tmp_path.glob("*/*.log"))
    assert f"{last} is skipped: it is cut off" in logs


def test_a_disk_that_is_full_for_a_while_costs_no_run(
    images: Path,
    references: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reference = references("steps")
    write, count = checkpoint_saving._write_and_rename, iter(range(1000))

    def full_for_a_while(checkpoint: dict, path: Path) -> None:
        if 1 <= next(count) < 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(checkpoint, path)

    monkeypatch.setattr(checkpoint_saving, "_write_and_rename", full_for_a_while)
    run("steps", images, tmp_path)
    assert not differences(tmp_path, reference)
    log = next(tmp_path.glob("*/*.log")).read_text()
    assert "cannot be written (No space left on device)" in log
    assert "the training goes on" in log


def test_a_disk_that_stays_full_keeps_the_last_good_file_and_says_so(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, count = checkpoint_saving._write_and_rename, iter(range(1000))

    def full_from_then_on(checkpoint: dict, path: Path) -> None:
        if next(count) > 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(checkpoint, path)

    monkeypatch.setattr(checkpoint_saving, "_write_and_rename", full_from_then_on)
    with pytest.raises(UserError, match="No space left on device"):
        run("steps", images, tmp_path)
    assert read_checkpoint(tmp_path / "last.pth")["meta"]["iter"] == 3


def test_resumed_before_anything_is_saved_it_starts_anew(
    images: Path, references: Callable[[str], Path], tmp_path: Path
) -> None:
    run("steps", images, tmp_path, resume=True)
    assert not differences(tmp_path, references("steps"))
    log = next(tmp_path.glob("*/*.log")).read_text()
    assert f"all of it goes to {tmp_path}; it starts anew: no checkpoint" in log


def test_the_same_seed_gives_the_same_weights_twice(images: Path, tmp_path: Path) -> None:
    def weights(name: str, seed: int) -> dict[str, torch.Tensor]:
        config = KINDS["epochs"](images)
        config.train_cfg.update(max_epochs=1)
        config.train_dataloader.update(num_workers=0, persistent_workers=False)
        folder = tmp_path / name
        train(config, folder, seed=seed, deterministic=True, device="cpu")
        return read_checkpoint(folder / "last.pth")["state_dict"]

    try:
        first, second, other = weights("a", 1), weights("b", 1), weights("c", 2)
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


def test_a_stopped_command_ends_with_75(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: Any, **__: Any) -> None:
        raise StoppedError("SIGTERM")

    monkeypatch.setattr("vitdet.engine.train", stopped)
    monkeypatch.setattr("vitdet.engine.load_config", lambda *_, **__: None)
    with pytest.raises(SystemExit) as end:
        cli.main(["train", "swin_classifier_shapes"])
    assert end.value.code == 75
