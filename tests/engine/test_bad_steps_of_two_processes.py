"""A loss that is not finite on one of two gloo processes: both leave the step out."""

import multiprocessing
import os
import socket
from pathlib import Path

import pytest
import torch

from tests.engine.toy_training import good_numbers, log_of, toy_config, write_numbers
from vitdet.device import use_device
from vitdet.engine.runner import Runner


def _one_process(rank: int, port: int, data: Path, folder: Path) -> None:
    os.environ.update(WORLD_SIZE="2", RANK=str(rank), LOCAL_RANK=str(rank))
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    use_device("cpu")
    config = toy_config(data, folder, launcher="pytorch", model__with_norm=False)
    config.env_cfg = dict(dist_cfg=dict(backend="gloo"))
    runner = Runner.from_cfg(config)
    runner.model.module.dropout.p = 0.0
    runner.train()
    torch.save(runner.model.module.state_dict(), folder / f"weights_{rank}.pth")
    if rank == 0:
        (folder / "told").write_text(log_of(runner))


def _train(data: Path, folder: Path) -> list[dict[str, torch.Tensor]]:
    """The weights of each process afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("fork")  # all is imported here already
    processes = [
        context.Process(target=_one_process, args=(rank, port, data, folder)) for rank in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=280)
    assert [process.exitcode for process in processes] == [0, 0]
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
