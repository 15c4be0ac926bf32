"""Times a model in one runtime, in a process of its own; torch is imported if it is needed only."""

import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitdet.inference import Predictor
from vitdet.model_benchmark.photos import photos_of
from vitdet.model_benchmark.timing import Timing

Size = tuple[int, int]
_WARM_UP, _FEWEST, _MOST = 2, 10, 1000  # calls


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Attributes:
        files: the checkpoint or exported file for each size (W, H) of images; with none the size
            that the file is for anyway.
        batches: numbers of images in a call.
        photos: image files; without any, painted scenes.
        seconds: that each case is measured for.
        threads: of the CPU.
        device: as for `Predictor`.
    """

    files: Mapping[Size, str]
    batches: Sequence[int]
    photos: Sequence[str]
    seconds: float
    threads: int
    device: str | None


def measure(runtime: str, plan: Plan) -> list[Timing]:
    """Time the model at each size with each batch. Raises UserError as `Predictor` does."""
    timings = []
    for size, predictor in _predictors(runtime, plan):
        photos = photos_of(plan.photos, size)
        for batch in plan.batches:
            patience = "; blocks are compiled first: wait a while" if runtime == "compiled" else ""
            sys.stdout.write(f"{runtime}, {size[0]}x{size[1]}, batch {batch}{patience}\n")
            sys.stdout.flush()
            timings.append(_time(predictor, photos, runtime, size, batch, plan.seconds))
    return timings


def _predictors(runtime: str, plan: Plan) -> Iterator[tuple[Size, Predictor]]:
    if runtime == "onnx":
        from vitdet.inference.onnx_predictor import OnnxPredictor

        for size, file in plan.files.items():
            yield size, OnnxPredictor(file, plan.device, threads=plan.threads)
        return
    import torch

    torch.set_num_threads(plan.threads)
    predictor = Predictor(next(iter(plan.files.values())), plan.device)
    if runtime == "compiled":
        from vitdet.engine.compile_blocks import compile_blocks

        compile_blocks(predictor.model)
    for size in plan.files:
        if predictor.scale is not None:
            predictor.scale = size
        yield size, predictor


def _time(
    predictor: Predictor,
    photos: Sequence[np.ndarray],
    runtime: str,
    size: Size,
    batch: int,
    seconds: float,
) -> Timing:
    def call(number: int) -> int:
        images = [photos[(number + place) % len(photos)] for place in range(batch)]
        return sum(len(one.boxes) for one in predictor(images, batch_size=batch))

    _forget_peak()
    times: list[float] = []
    num_objects, first, begin = 0, 0.0, 0.0
    for number in range(-_WARM_UP, _MOST):
        before = time.perf_counter()
        if number == 0:
            begin = before
        elif number >= _FEWEST and before - begin > seconds:
            break
        found = call(number)
        after = time.perf_counter()
        if number >= 0:
            times.append(after - before)
            num_objects += found
        elif number == -_WARM_UP:
            first = after - before
    return Timing(
        runtime, size, batch, tuple(times), first, _peak_mib(), num_objects / len(times) / batch
    )


def _cuda():
    """torch.cuda if this process computes with it."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_initialized() else None


def _forget_peak() -> None:
    if _cuda() is not None:
        _cuda().reset_peak_memory_stats()
    elif (clear := Path("/proc/self/clear_refs")).exists():
        clear.write_text("5")


def _peak_mib() -> float:
    if _cuda() is not None:
        return _cuda().max_memory_allocated() / 2**20
    status = Path("/proc/self/status")
    if not status.exists():  # bytes on macOS; since the process began, which nothing can change
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    lines = status.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
