"""Two processes, whose batch norms have seen different images, evaluate what is saved."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from tests.engine.toy_training import good_numbers, toy_config, with_evaluation, write_numbers
from tests.processes import in_processes
from vitdet.checkpoints.files import read_checkpoint
from vitdet.device import use_device
from vitdet.engine.runner import Runner


@HOOKS.register_module()
class KeepMeans(Hook):
    """Writes the running mean of each process before and in the evaluation."""

    priority = "LOWEST"

    def after_train_epoch(self, runner: Any) -> None:
        self._write(runner, "trained")

    def before_val_epoch(self, runner: Any) -> None:
        self._write(runner, "evaluated")

    def _write(self, runner: Any, when: str) -> None:
        path = Path(runner.work_dir, f"{when}_{runner.rank}.pth")
        torch.save(runner.model.module.norm.running_mean, path)


def _train(data: Path, folder: Path) -> None:
    use_device("cpu")
    config = with_evaluation(toy_config(data, folder, launcher="pytorch"))
    config.env_cfg = dict(dist_cfg=dict(backend="gloo"))
    config.custom_hooks = [dict(type="KeepMeans")]
    Runner.from_cfg(config).train()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_all_evaluate_with_those_of_the_main_process(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    in_processes(2, _train, write_numbers(tmp_path / "data", good_numbers(8)), folder)
    trained, evaluated = (
        [torch.load(folder / f"{when}_{rank}.pth") for rank in range(2)]
        for when in ("trained", "evaluated")
    )
    assert not torch.equal(trained[0], trained[1])
    saved = read_checkpoint(folder / "best.pth")["state_dict"]["norm.running_mean"]
    for one in (*evaluated, trained[0]):
        assert torch.equal(one, saved)
