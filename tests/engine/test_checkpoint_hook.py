"""When `last.pth` is saved, by a clock that the test turns."""

from pathlib import Path
from typing import Any

import pytest
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from tests.engine.toy_training import good_numbers, toy_runner, write_numbers
from vitdet.engine import checkpoint_hook
from vitdet.engine.checkpoint_hook import SaveCheckpoints

SECONDS_TO_SAVE = 3


class Clock:
    now = 0.0

    @classmethod
    def monotonic(cls) -> float:
        return cls.now


@HOOKS.register_module()
class StepsTakeASecond(Hook):
    priority = "VERY_HIGH"

    def after_train_iter(self, runner: Any, batch_idx: int, **_: Any) -> None:
        Clock.now += 1


def test_saving_takes_its_share_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = []

    def write(hook: SaveCheckpoints, runner: Any, meta: dict[str, int]) -> None:
        Clock.now += SECONDS_TO_SAVE
        saved.append(meta["iter"])

    monkeypatch.setattr(Clock, "now", 0.0)
    monkeypatch.setattr(checkpoint_hook, "time", Clock)
    monkeypatch.setattr(SaveCheckpoints, "_write", write)
    data = write_numbers(tmp_path / "data", good_numbers(80))
    hooks = dict(last_and_best=dict(type="vitdet.SaveCheckpoints", interval=1))
    toy_runner(
        data,
        tmp_path / "run",
        train_cfg__max_epochs=10,
        default_hooks=hooks,
        custom_hooks=[dict(type="StepsTakeASecond")],
    ).train()
    # One at once, to be able to go on at all, and the end; others after twenty times as long.
    assert saved == [1, *range(61, 400, 60), 400]
