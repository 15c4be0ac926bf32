"""Gloo processes on this machine, forked from one that has imported everything and done nothing.

Forks of the tests' own process cannot train: autograd has threads there, which no fork has.
"""

import multiprocessing
import os
import socket
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

import torch

from vitdet.engine import launch
from vitdet.engine.report_hook import KeepEvaluation


def in_processes(count: int, work: Callable[..., None], *args: Any, timeout: float = 240) -> None:
    """Call `work(*args)` in `count` processes that find each other as torchrun's do; in one
    process alone nothing is said of others.

    Raises:
        RuntimeError: one failed, or took longer than `timeout` seconds; its traceback is printed.
    """
    processes = start_processes(count, work, *args)
    for process in processes:
        process.join(timeout)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
    if codes != [0] * count:
        raise RuntimeError(f"{work.__name__} in {count} processes: exit codes {codes}")


def start_processes(count: int, work: Callable[..., None], *args: Any) -> list[BaseProcess]:
    """As `in_processes`, but nothing is waited for."""
    context, port = multiprocessing.get_context("forkserver"), free_port()
    context.set_forkserver_preload(["vitdet.engine.launch", "mmdet.models", work.__module__])
    processes = [
        context.Process(target=_work, args=(rank, count, port, work, args)) for rank in range(count)
    ]
    for process in processes:
        process.start()
    return processes


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _work(rank: int, count: int, port: int, work: Callable[..., None], args: tuple) -> None:
    torch.set_num_threads(1)
    if count > 1:
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(count))
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    launch.draw_sample_sheet = KeepEvaluation.write = lambda *_, **__: None  # slow, and not asked
    work(*args)
