from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from tests.engine.toy_training import (
    good_numbers,
    toy_config,
    toy_runner,
    with_evaluation,
    write_numbers,
)
from vitdet.checkpoints.files import read_checkpoint
from vitdet.engine.ema import AverageWeights, use_ema
from vitdet.engine.runner import Runner
from vitdet.errors import UserError

EMA = "vitdet.engine.ema.AverageWeights"


def _averages(weights: list[torch.Tensor], momentum: float) -> torch.Tensor:
    """The average after these weights, by its equation, in float64."""
    average = weights[0].double()
    for steps, one in enumerate(weights[1:], start=1):
        average = average + max(momentum, 9 / (10 + steps)) * (one.double() - average)
    return average


class _Watch(AverageWeights):
    """Keeps every update's weights and statistics."""

    def _note_update(self, *_) -> None:
        super()._note_update()
        self.seen = [*getattr(self, "seen", []), {}]

    def after_train_iter(self, runner, batch_idx: int, **kwargs) -> None:
        if self._has_updated:
            self.seen[-1].update({k: v.clone() for k, v in self.src_model.state_dict().items()})
        super().after_train_iter(runner, batch_idx, **kwargs)


@pytest.mark.parametrize("accumulated", [1, 2])
def test_the_average_moves_with_updates_and_statistics_with_it(
    tmp_path: Path, accumulated: int
) -> None:
    data = write_numbers(tmp_path / "data", good_numbers(12))
    options = {"optim_wrapper__accumulative_counts": accumulated}
    runner = toy_runner(data, tmp_path / "run", **options)
    hook = _Watch(momentum=0.7)
    runner.register_hook(hook)
    runner.train()
    assert len(hook.seen) == 6 // accumulated
    saved = read_checkpoint(tmp_path / "run/last.pth")
    for name in ("linear.weight", "norm.running_mean", "norm.running_var"):
        expected = _averages([one[name] for one in hook.seen], 0.7)
        assert torch.allclose(saved["state_dict"][name].double(), expected, atol=1e-6), name
        assert torch.equal(saved["ema_state_dict"][f"module.{name}"], hook.seen[-1][name])
    assert saved["state_dict"]["norm.num_batches_tracked"] == 6


def test_evaluated_and_best_weights_are_the_average(tmp_path: Path) -> None:
    runner = _with_evaluation(tmp_path, max_epochs=2)
    evaluated = []

    def forward(inputs, data_samples, mode):
        if mode == "predict":
            evaluated.append(runner.model.linear.weight.detach().clone())
        return original(inputs, data_samples, mode)

    original, runner.model.forward = runner.model.forward, forward
    weights = runner.train().linear.weight
    best = read_checkpoint(tmp_path / "run/best.pth")
    assert "ema_state_dict" not in best
    assert torch.equal(best["state_dict"]["linear.weight"], evaluated[0])
    last = read_checkpoint(tmp_path / "run/last.pth")["state_dict"]["linear.weight"]
    assert torch.equal(last, evaluated[-1])
    assert not torch.equal(last, weights)


def test_a_resumed_run_goes_on_with_both(tmp_path: Path) -> None:
    whole = _with_evaluation(tmp_path / "whole", max_epochs=2)
    whole.train()
    _with_evaluation(tmp_path / "half", max_epochs=1).train()
    last = tmp_path / "half/run/last.pth"
    # Dropout has drawn as much as in the whole run.
    resumed = _with_evaluation(tmp_path / "half", max_epochs=2, resume=True, load_from=str(last))
    resumed.train()
    expected = read_checkpoint(tmp_path / "whole/run/last.pth")
    found = read_checkpoint(last)
    for key in ("state_dict", "ema_state_dict"):
        for name, value in expected[key].items():
            assert torch.equal(found[key][name], value), name


def test_going_on_without_the_average_is_refused(tmp_path: Path) -> None:
    _with_evaluation(tmp_path, max_epochs=1).train()
    data, last = tmp_path / "data", str(tmp_path / "run/last.pth")
    runner = toy_runner(data, tmp_path / "run", resume=True, load_from=last)
    with pytest.raises(UserError, match="of a training with --ema; add --ema"):
        runner.train()


def test_a_config_that_averages_already_is_left_alone() -> None:
    config = Config(dict(custom_hooks=[dict(type="mmengine.hooks.EMAHook")]))
    use_ema(config)
    assert len(config.custom_hooks) == 1
    config = Config(dict(custom_hooks=[dict(type="mmengine.hooks.EmptyCacheHook")]))
    use_ema(config)
    use_ema(config)
    assert [hook["type"] for hook in config.custom_hooks] == ["mmengine.hooks.EmptyCacheHook", EMA]


def _with_evaluation(folder: Path, *, max_epochs: int, **changes) -> Runner:
    """A run with averaged weights, without dropout, evaluated after each epoch."""
    data = write_numbers(folder / "data", good_numbers(6))
    config = toy_config(data, folder / "run", train_cfg__max_epochs=max_epochs, **changes)
    use_ema(config)
    runner = Runner.from_cfg(with_evaluation(config))
    runner.model.dropout.p = 0.0
    return runner
