"""A loss that is not finite on one of two gloo processes: both leave the step out."""

import os
from pathlib import Path

import pytest
import torch

from tests.engine.toy_training import good_numbers, log_of, toy_config, write_numbers
from tests.processes import in_processes
from vitdet.device import use_device
from vitdet.engine.runner import Runner


def _one_process(data: Path, folder: Path) -> None:
    use_device("cpu")
    config = toy_config(data, folder, launcher="pytorch", model__with_norm=False)
    config.env_cfg = dict(dist_cfg=dict(backend="gloo"))
    runner = Runner.from_cfg(config)
    runner.model.module.dropout.p = 0.0
    runner.train()
    torch.save(runner.model.module.state_dict(), folder / f"weights_{runner.rank}.pth")
    if runner.rank == 0:
        (folder / "told").write_text(log_of(runner))


def _train(data: Path, folder: Path) -> list[dict[str, torch.Tensor]]:
    """The weights of each process afterwards."""
    in_processes(2, _one_process, data, folder)
    return [torch.load(folder / f"weights_{rank}.pth") for rank in range(2)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_both_leave_the_step_out(tmp_path: Path) -> None:
    # Without shuffling, even files are the first process's and odd ones the second's.
    good = good_numbers(8)
    bad = "nan 1 1 1"
    data = write_numbers(tmp_path / "data", [*good[:4], good[0], bad, good[2], good[3], *good[4:]])
    first, second = _train(data, tmp_path / "run")
    expected, _ = _train(write_numbers(tmp_path / "rest", good), tmp_path / "other")
    for name, weights in expected.items():
        assert torch.equal(first[name], weights), name
        assert torch.equal(second[name], weights), name
    told = (tmp_path / "run/told").read_text()
    assert f"step 2: loss_second is nan, on {data / '05.txt'}, {data / '07.txt'}; the" in told
