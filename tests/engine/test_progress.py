import io
import logging
import sys
from collections import defaultdict
from types import SimpleNamespace

import pytest
from mmengine.runner import IterBasedTrainLoop

from vitdet.engine import progress
from vitdet.engine.progress import ProgressHook


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def runner(**attributes: object) -> SimpleNamespace:
    """As much of a Runner as the hook looks at: 3 epochs of 4 steps."""
    logger = logging.Logger("test")
    logger.addHandler(logging.StreamHandler(sys.stdout))
    scalar = SimpleNamespace(current=lambda: 0.125)
    hub = SimpleNamespace(log_scalars=defaultdict(lambda: scalar))
    return SimpleNamespace(
        **{"iter": 0, "epoch": 0, "max_iters": 12, "max_epochs": 3, **attributes},
        message_hub=hub,
        logger=logger,
        train_loop=None,
        val_dataloader=range(5),
    )


def use_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Called in the test itself: pytest sets its own stdout after the fixtures."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(progress, "_REFRESH_SECONDS", 0)
    return stream


def test_bar_shows_epoch_loss_data_time_and_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = use_terminal(monkeypatch)
    hook, run = ProgressHook(), runner()
    hook.before_train(run)
    run.epoch, run.iter = 1, 5
    hook.after_train_iter(run, 1)
    hook.before_val(run)
    hook.after_val_iter(run, 2)
    hook.after_val(run)
    hook.close()
    shown = terminal.getvalue()
    assert "epoch 2/3" in shown and "6/12" in shown
    assert "loss 0.125" in shown and "data 125 ms" in shown
    assert "evaluating" in shown and "3/5" in shown


def test_log_lines_stand_above_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = use_terminal(monkeypatch)
    hook, run = ProgressHook(), runner()
    hook.before_train(run)
    assert sys.stdout is not terminal
    run.logger.warning("look out")
    hook.close()
    assert sys.stdout is terminal
    run.logger.warning("after")
    assert "look out" in terminal.getvalue() and "after" in terminal.getvalue()


def test_nothing_is_drawn_away_from_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    hook, run = ProgressHook(), runner()
    hook.before_train(run)
    hook.after_train_iter(run, 0)
    hook.before_val(run)
    hook.after_val_iter(run, 0)
    hook.after_val(run)
    hook.close()
    assert stream.getvalue() == ""


def test_resumed_run_starts_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = use_terminal(monkeypatch)
    hook = ProgressHook()
    hook.before_train(runner(iter=8))
    hook.close()
    assert "8/12" in terminal.getvalue()


def test_a_run_that_counts_steps_shows_no_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = use_terminal(monkeypatch)
    hook, run = ProgressHook(), runner(max_epochs=1)
    run.train_loop = IterBasedTrainLoop.__new__(IterBasedTrainLoop)
    hook.before_train(run)
    run.iter = 5
    hook.after_train_iter(run, 5)
    hook.close()
    assert "6/12" in terminal.getvalue() and "epoch" not in terminal.getvalue()
