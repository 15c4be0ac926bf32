"""Processes that Slurm or MPI start, and those that torchrun starts again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.engine.conftest import TINY
from tests.processes import free_port
from vitdet.checkpoints.files import read_checkpoint
from vitdet.engine import load_config, train
from vitdet.engine.launchers import follow_launcher
from vitdet.engine.metrics_file import read_metrics
from vitdet.errors import UserError

OURS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
THEIRS = ("SLURM_", "OMPI_", "PMI_", "MPI_", "MV2_")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has started this process, and what it sets is gone afterwards."""
    for name in [*OURS, *(name for name in os.environ if name.startswith(THEIRS))]:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def set_all(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def said() -> list[str | None]:
    return [os.environ.get(name) for name in OURS]


def test_slurm_says_who_is_who(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scontrol = tmp_path / "scontrol"
    scontrol.write_text('#!/bin/sh\n[ "$3" = "node[7-8]" ] && printf "node7\\nnode8\\n"\n')
    scontrol.chmod(0o755)
    set_all(
        monkeypatch,
        PATH=f"{tmp_path}:{os.environ['PATH']}",
        SLURM_PROCID="9",
        SLURM_NTASKS="16",
        SLURM_LOCALID="1",
        SLURM_STEP_NODELIST="node[7-8]",
    )
    assert follow_launcher("slurm") == "pytorch"
    assert said() == ["9", "16", "1", "node7", "29500"]


def test_mpi_says_who_is_who(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(
        monkeypatch,
        OMPI_COMM_WORLD_RANK="1",
        OMPI_COMM_WORLD_SIZE="2",
        OMPI_COMM_WORLD_LOCAL_RANK="1",
        OMPI_COMM_WORLD_LOCAL_SIZE="2",
    )
    assert follow_launcher("mpi") == "pytorch"
    assert said() == ["1", "2", "1", "127.0.0.1", "29500"]
    monkeypatch.delenv("MASTER_ADDR")
    monkeypatch.setenv("OMPI_COMM_WORLD_LOCAL_SIZE", "1")  # another machine has the other one
    with pytest.raises(UserError, match="set MASTER_ADDR"):
        follow_launcher("mpi")


@pytest.mark.parametrize(("launcher", "how"), [("slurm", "srun"), ("mpi", "mpirun")])
def test_without_a_launcher_it_is_named(launcher: str, how: str) -> None:
    with pytest.raises(UserError, match=f"start the command with {how}"):
        follow_launcher(launcher)


def test_a_restarted_training_needs_a_folder(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    with pytest.raises(UserError, match="--work-dir"):
        train(load_config(TINY, data=data), device="cpu")


KILLED_ONCE = """
import os, signal, sys
from pathlib import Path
from mmengine.hooks import Hook
from vitdet.engine import load_config, train
from vitdet.engine.runner import Runner

class Kill(Hook):
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        is_first = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
        if is_first and runner.epoch == 1 and runner.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)

built = Runner.from_cfg.__func__
def from_cfg(cls, config):
    runner = built(cls, config)
    runner.register_hook(Kill())
    return runner
Runner.from_cfg = classmethod(from_cfg)
config = load_config(sys.argv[1], data=sys.argv[2])
train(config, sys.argv[3], device="cpu", launcher="pytorch")
"""


@pytest.mark.slow  # each process imports everything, twice
def test_torchrun_restarts_and_the_run_goes_on(data: Path, tmp_path: Path) -> None:
    script = tmp_path / "killed_once.py"
    script.write_text(KILLED_ONCE)
    folder = tmp_path / "run"
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"),
        *("--max-restarts=1", str(script), str(TINY), str(data), str(folder)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    # Loaded by the second start.
    assert "last.pth (vitdet layout) into MaskRCNN" in done.stdout + done.stderr
    assert (folder / "report.html").is_file()


@pytest.mark.slow  # four processes import everything
def test_two_agents_restart_and_the_run_goes_on(data: Path, tmp_path: Path) -> None:
    """As on two machines, of which one has lost its process."""
    script = tmp_path / "killed_once.py"
    script.write_text(KILLED_ONCE)
    folder, port = tmp_path / "run", free_port()
    agents = []
    for rank in range(2):
        command = [
            *(sys.executable, "-m", "torch.distributed.run", "--nnodes=2", f"--node_rank={rank}"),
            *("--master_addr=127.0.0.1", f"--master_port={port}", "--nproc_per_node=1"),
            *("--max-restarts=1", str(script), str(TINY), str(data), str(folder)),
        ]
        with (tmp_path / f"said_{rank}").open("w") as said:
            agents.append(subprocess.Popen(command, stdout=said, stderr=said))
    codes = [agent.wait(timeout=600) for agent in agents]
    said = [(tmp_path / f"said_{rank}").read_text() for rank in range(2)]
    assert codes == [0, 0], said
    assert "last.pth (vitdet layout) into MaskRCNN" in said[0]
    assert (folder / "report.html").is_file()


@pytest.mark.slow  # two processes import everything
def test_a_signal_to_the_script_ends_all_of_them_saved(data: Path, tmp_path: Path) -> None:
    script, folder = TINY.parents[2] / "tools" / "dist_train.sh", tmp_path / "run"
    options = ["train_cfg.max_epochs=100000", "train_cfg.val_interval=100000"]
    command = [str(script), str(TINY), "2", "--data", str(data), "--work-dir", str(folder)]
    command += ["--device", "cpu", "--cfg-options", *options]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "RESTARTS": "1"}
    with (tmp_path / "said").open("w") as said:
        launcher = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
    try:
        end = time.monotonic() + 240
        while len(read_metrics(folder / "metrics.jsonl")) < 3:
            assert launcher.poll() is None and time.monotonic() < end
            time.sleep(0.1)
        launcher.send_signal(signal.SIGUSR1)
        assert launcher.wait(timeout=60) == 1  # torchrun's own
    finally:
        launcher.terminate()
    done = read_metrics(folder / "metrics.jsonl")
    assert read_checkpoint(folder / "last.pth")["meta"]["iter"] == done[-1]["step"]
    assert (tmp_path / "said").read_text().count("training ") == 1  # nothing was restarted


def test_processes_that_do_not_meet_say_where(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This one waits for another, which nobody has started."""
    where = dict(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(free_port()))
    set_all(monkeypatch, RANK="0", LOCAL_RANK="0", WORLD_SIZE="2", **where)
    config = load_config(TINY, data=data, options={"env_cfg.dist_cfg.timeout": 1})
    with pytest.raises(
        UserError, match=f"2 processes do not meet at 127.0.0.1:{where['MASTER_PORT']} "
    ):
        train(config, tmp_path / "run", device="cpu", launcher="pytorch")
