"""The processes that prepare data: as many as the machine has cores for, and their end."""

import os
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log

_MOST = 8  # of a training process: some hundred images a second
_OF_WORKERS = ("persistent_workers", "prefetch_factor")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def choose_workers(config: Config, device: str) -> None:
    """Set each loader's `num_workers` that is None, in place, and say so; pin memory for a GPU.

    A GPU's process gets the cores that it has for itself but one, at most 8. Where the model is
    computed on the same cores, one worker prepares the next batch and more would only compete.
    What speeds workers up goes where there are none: torch refuses it.
    """
    has_gpu = torch.device(device).type == "cuda"
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    cores = _cores()
    count = min(max(cores // processes - 1, 1), _MOST) if has_gpu else 1
    chosen = []
    for part in ("train", "val", "test"):
        node = config.get(f"{part}_dataloader")
        if node is None:
            continue
        if has_gpu:
            node.setdefault("pin_memory", True)
        if node.get("num_workers", 0) is None:
            node["num_workers"] = count
            chosen.append(part)
        if node.get("num_workers", 0) == 0:
            for name in _OF_WORKERS:
                node.pop(name, None)
    if chosen:
        names = ", ".join(f"{part}_dataloader.num_workers" for part in chosen)
        workers = "1 process prepares" if count == 1 else f"{count} processes prepare"
        share = f" for {processes} training processes" if processes > 1 else ""
        print_log(
            f"{workers} images beside the {'GPU' if has_gpu else 'model on the CPU'}, of {cores} "
            f"cores{share}; to change it: {names}",
            logger="current",
        )


def end_workers(loop: Any) -> None:
    """End the processes that prepare a loop's batches: it is done, or will not be.

    Left to the end of the program they would hold it up for a minute, since a worker goes on after
    SIGTERM (`leave_signals_to_main`). torch ends them as soon as nothing refers to their iterator;
    who keeps the loop, or the traceback of an error, does.
    """
    loader = getattr(loop, "dataloader", None)  # a loop that never ran is still a config
    iterator = getattr(loader, "_iterator", None)  # kept for persistent workers alone
    if iterator is not None:
        iterator._shutdown_workers()
        loader._iterator = None


def _cores() -> int:
    """Cores that this process may use, a container's share of them included."""
    known = getattr(os, "sched_getaffinity", None)  # not on every system
    cores = len(known(0)) if known else os.cpu_count() or 1
    try:
        quota, period = _QUOTA.read_text().split()
        return min(cores, max(int(quota) // int(period), 1))
    except (OSError, ValueError):  # none, or "max"
        return cores
