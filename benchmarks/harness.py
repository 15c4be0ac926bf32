"""Times implementations of one task against each other, fairly.

A benchmark declares its cases and its peers, ours first. For each case the harness builds all peers
in one process, compares their outputs before anything is timed, then lets them take turns, so that
whatever else the machine does hits all alike. Peak memory is measured one peer at a time.
"""

import gc
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

Step = Callable[[], Sequence[Tensor]]  # runs once and returns what must agree between peers
CUDA_STEPS_PER_ROUND = 10  # events are recorded around this many
MEBIBYTE = 2**20


@dataclass(frozen=True)
class Case:
    """One row of the table: what all peers have to do.

    Attributes:
        name: shown in the table.
        options: whatever the builders of the benchmark need.
        tolerance: largest difference between outputs, as a share of their largest magnitude.
        compared_on: the case that outputs are compared on, if they do not agree on this one.
    """

    name: str
    options: Mapping[str, Any]
    tolerance: float
    compared_on: "Case | None" = None


@dataclass(frozen=True)
class Benchmark:
    """A task, in several cases, done by several peers.

    Attributes:
        title: one line above the table.
        cases: the cases of a full or of a quick run.
        peers: name -> builder of a step, ours first. A builder raises ImportError where its
            library is not installed; the peer is then left out.
    """

    title: str
    cases: Callable[[bool], list[Case]]
    peers: Mapping[str, Callable[[Case, torch.device], Step]]


def load(name: str) -> Benchmark:
    """The benchmark declared in the file NAME.py beside this one."""
    return import_module(name).BENCHMARK


def run(
    name: str,
    device: torch.device,
    *,
    rounds: int,
    threads: int,
    is_quick: bool,
    only: str = "",
    has_memory: bool = True,
) -> dict[str, Any]:
    """Measure all cases of a benchmark.

    Args:
        name: of the benchmark's file.
        device: CPU or CUDA device.
        rounds: turns of each peer.
        threads: CPU threads of each peer.
        is_quick: run the short cases.
        only: leave out the cases that do not have this in their names.
        has_memory: measure peak memory too, for which every peer takes two more steps.

    Returns:
        Machine, settings, and per case and peer: seconds (all rounds, minimum, median), CPU seconds
        (minimum) and peak MiB above what the process held before the step.

    Raises:
        ArithmeticError: peers disagree, so that their times mean nothing.
    """
    torch.set_num_threads(threads)
    benchmark = load(name)
    results: dict[str, dict[str, Any]] = {}
    for case in chosen_cases(benchmark, is_quick, only):
        steps = build_steps(benchmark, case.compared_on or case, device)
        compare_outputs(case.compared_on or case, steps)
        if case.compared_on is not None:
            steps = build_steps(benchmark, case, device)
            for warm_up in steps.values():
                warm_up()
        results[case.name] = time_in_turns(steps, rounds, device)
        del steps
        release(device)
    for peer in next(iter(results.values())) if has_memory else ():
        for case_name, peak in peak_memory(name, peer, device, threads, is_quick, only).items():
            results[case_name][peer]["peak_mib"] = peak
    return {
        "benchmark": name,
        "title": benchmark.title,
        "machine": machine(device),
        "threads": threads,
        "rounds": rounds,
        "cases": results,
    }


def chosen_cases(benchmark: Benchmark, is_quick: bool, only: str) -> list[Case]:
    return [case for case in benchmark.cases(is_quick) if only in case.name]


def build_steps(benchmark: Benchmark, case: Case, device: torch.device) -> dict[str, Step]:
    steps = {}
    for peer, build in benchmark.peers.items():
        try:
            steps[peer] = build(case, device)
        except ImportError as error:
            print(f"without {peer}: {error}")
    return steps


def compare_outputs(case: Case, steps: Mapping[str, Step]) -> None:
    """Run every peer once and compare it with the first."""
    names = iter(steps)
    ours = steps[next(names)]()
    for name in names:
        theirs = steps[name]()
        if len(ours) != len(theirs):
            raise ArithmeticError(f"{case.name}: {name} returns another number of outputs")
        for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            share = float((a.float() - b.float()).abs().max() / b.float().abs().max())
            if not share <= case.tolerance:
                raise ArithmeticError(
                    f"{case.name}: output {index} of {name} differs from ours by {share:.2g}"
                )


def time_in_turns(
    steps: Mapping[str, Step], rounds: int, device: torch.device
) -> dict[str, dict[str, Any]]:
    """Time every peer once per round, each round beginning with another one."""
    wall: dict[str, list[float]] = {name: [] for name in steps}
    cpu: dict[str, list[float]] = {name: [] for name in steps}
    names = list(steps)
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            cpu_begin = time.process_time()
            wall[name].append(seconds(steps[name], device))
            cpu[name].append(time.process_time() - cpu_begin)
    return {
        name: {
            "seconds": wall[name],
            "minimum": min(wall[name]),
            "median": statistics.median(wall[name]),
            "cpu_minimum": min(cpu[name]),
        }
        for name in names
    }


def seconds(step: Step, device: torch.device) -> float:
    """Seconds that one step takes, on the device's own clock."""
    if device.type != "cuda":
        begin = time.perf_counter()
        step()
        return time.perf_counter() - begin
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    step()
    begin.record()
    for _ in range(CUDA_STEPS_PER_ROUND):
        step()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 1000 / CUDA_STEPS_PER_ROUND


def peak_memory(
    name: str, peer: str, device: torch.device, threads: int, is_quick: bool, only: str
) -> dict[str, float]:
    """Peak MiB of each case's step, measured in a process of its own.

    There large blocks go straight back to the system when they are freed (the C library otherwise
    keeps them, and the peak would tell the history of the process).
    """
    os.environ["MALLOC_MMAP_THRESHOLD_"] = "65536"
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            arguments = (name, peer, str(device), threads, is_quick, only)
            return pool.submit(_peaks_in_this_process, *arguments).result()
    finally:
        del os.environ["MALLOC_MMAP_THRESHOLD_"]


def _peaks_in_this_process(
    name: str, peer: str, device_name: str, threads: int, is_quick: bool, only: str
) -> dict[str, float]:
    torch.set_num_threads(threads)
    device = torch.device(device_name)
    benchmark = load(name)
    peaks = {}
    for case in chosen_cases(benchmark, is_quick, only):
        step = benchmark.peers[peer](case, device)
        step()  # first-time allocations of libraries and, in training, of the gradients
        release(device)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            before = torch.cuda.memory_allocated(device)
            step()
            peaks[case.name] = (torch.cuda.max_memory_allocated(device) - before) / MEBIBYTE
        else:
            Path("/proc/self/clear_refs").write_text("5")  # resets the peak
            before = _resident_mebibytes("VmRSS")
            step()
            peaks[case.name] = _resident_mebibytes("VmHWM") - before
        del step
        release(device)
    return peaks


def _resident_mebibytes(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise OSError(f"/proc/self/status has no {field}")


def release(device: torch.device) -> None:
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def machine(device: torch.device) -> dict[str, Any]:
    """What the figures were measured on."""
    facts = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    if device.type == "cuda":
        facts |= {"gpu": torch.cuda.get_device_name(device), "cuda": torch.version.cuda}
    return facts


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
