"""Several processes, started by torchrun, Slurm or MPI: what each has to know about the others."""

import os
import subprocess

from vitdet.errors import UserError

_PORT = "29500"  # torch's own
# Rank, number of processes, and rank on this machine, as MPI libraries call them.
_MPI_NAMES = (
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),  # Open MPI
    ("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"),  # MPICH, Intel MPI
    ("MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_LOCAL_RANK"),  # MVAPICH
)


def follow_launcher(launcher: str) -> str:
    """Set what torchrun would have set from what Slurm or MPI have; returns mmengine's launcher.

    mmengine reads Slurm's and MPI's variables too, but only where there are GPUs.

    Raises:
        UserError: `launcher` has not started this process, or the address of the first machine is
            not known.
    """
    if launcher == "pytorch" and is_restarted():
        _meet_anew()
    if launcher in ("none", "pytorch"):
        return launcher
    names = ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID")
    if launcher == "mpi":
        names = next((one for one in _MPI_NAMES if one[0] in os.environ), _MPI_NAMES[0])
    missing = [name for name in names if name not in os.environ]
    if missing:
        how = "srun" if launcher == "slurm" else "mpirun"
        raise UserError(
            f"--launcher {launcher}: {', '.join(missing)} is not set: start the command with {how}"
        )
    rank, world_size, local_rank = (os.environ[name] for name in names)
    os.environ.update(RANK=rank, WORLD_SIZE=world_size, LOCAL_RANK=local_rank)
    os.environ.setdefault("MASTER_PORT", _PORT)
    if "MASTER_ADDR" not in os.environ:
        os.environ["MASTER_ADDR"] = _first_machine(launcher)
    return "pytorch"


def _first_machine(launcher: str) -> str:
    """Name of the machine that process 0 runs on."""
    if launcher == "mpi":
        if os.environ.get("OMPI_COMM_WORLD_LOCAL_SIZE") == os.environ["WORLD_SIZE"]:
            return "127.0.0.1"
        raise UserError(
            "--launcher mpi: set MASTER_ADDR to the machine of process 0, as by "
            "`mpirun -x MASTER_ADDR=host`"
        )
    machines = os.environ.get("SLURM_STEP_NODELIST") or os.environ.get("SLURM_NODELIST", "")
    command = ["scontrol", "show", "hostnames", machines]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        listed = []
    if not listed:
        raise UserError(
            f"--launcher slurm: `{' '.join(command)}` names no machine: set MASTER_ADDR to that of "
            "process 0"
        )
    return listed[0]


def _meet_anew() -> None:
    """Let processes that torchrun has restarted meet where nothing of the failed ones is left.

    torchrun's own store outlives them, and torch (2.15) would look up their addresses there.
    """
    port = int(os.environ["MASTER_PORT"]) + int(os.environ["TORCHELASTIC_RESTART_COUNT"])
    os.environ.update(TORCHELASTIC_USE_AGENT_STORE="False", MASTER_PORT=str(port))


def is_restarted() -> bool:
    """Whether torchrun has started this process anew, after one of the processes failed."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0
