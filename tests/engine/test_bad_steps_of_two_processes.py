"""A loss that is not finite on one of two gloo processes: both leave the step out."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import torch

from tests.engine.toy_training import good_numbers, write_numbers

SCRIPT = """
import sys
from pathlib import Path
from tests.engine.toy_training import toy_config, log_of
from vitdet.device import use_device
from vitdet.engine.runner import Runner
import torch
use_device("cpu")
data, folder = map(Path, sys.argv[1:])
config = toy_config(data, folder, launcher="pytorch", model__with_norm=False)
config.env_cfg = dict(dist_cfg=dict(backend="gloo"))
runner = Runner.from_cfg(config)
runner.model.module.dropout.p = 0.0
runner.train()
torch.save(runner.model.module.state_dict(), folder / f"weights_{runner.rank}.pth")
if runner.rank == 0:
    (folder / "told").write_text(log_of(runner))
"""


def _train(data: Path, folder: Path) -> list[dict[str, torch.Tensor]]:
    """The weights of each process afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root = Path(__file__).parents[2]
    common = dict(WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    common.update(PYTHONPATH=str(root), OMP_NUM_THREADS="1")
    command = [sys.executable, "-c", SCRIPT, str(data), str(folder)]
    processes = [
        subprocess.Popen(
            command, env={**os.environ, **common, "RANK": str(rank), "LOCAL_RANK": str(rank)}
        )
        for rank in range(2)
    ]
    assert [process.wait(timeout=280) for process in processes] == [0, 0]
    return [torch.load(folder / f"weights_{rank}.pth") for rank in range(2)]


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
