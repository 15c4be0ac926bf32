"""`vitdet benchmark-model`: what a person needs to say whether a model is fast enough."""

import contextlib
import copy
import csv
import dataclasses
import io
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from vitdet.errors import UserError
from vitdet.evaluation.text_table import plain_table, render
from vitdet.inference import Predictor
from vitdet.model_benchmark.measure import Plan, Size, measure
from vitdet.model_benchmark.photos import photos_of
from vitdet.model_benchmark.plot import write_plot
from vitdet.model_benchmark.timing import Timing

_DEFAULT_SIZE = (640, 480)  # of photos for a model whose own size cannot be told


def benchmark_model(
    checkpoint: str | Path,
    out: str | Path,
    *,
    sizes: Sequence[Size] = (),
    batches: Sequence[int] = (1, 4),
    images: Sequence[str] = (),
    seconds: float = 10,
    compiled: bool = False,
    onnx: bool = True,
    threads: int | None = None,
    device: str | None = None,
) -> list[Timing]:
    """Time a trained model and write a table, `speed.csv`, `speed.json` and `speed.png`.

    Args:
        checkpoint: of a run, published, or an exported `.onnx`, which is timed as it is.
        out: folder for the files.
        sizes: (W, H) of images, which the model takes as they are; by default what its recipe
            resizes a lying photo into.
        batches: numbers of images in a call.
        images: photos to find things in; by default painted scenes.
        seconds: that each case is measured for.
        compiled: whether compiled blocks are timed as well.
        onnx: whether the model is exported and timed as ONNX as well, if that is possible.
        threads: of the CPU; by default as many as there are cores.
        device: as for `Predictor`.

    Raises:
        UserError: as `Predictor` does; a number makes no sense; `out` cannot be written.
    """
    threads = threads or os.cpu_count() or 1
    plan = Plan({}, sorted(set(batches)), list(images), seconds, threads, device)
    _check(plan, sizes)
    out = _folder(out)
    predictor = Predictor(checkpoint, device)
    sizes = list(sizes) or [_own_size(predictor)]
    facts = _facts(predictor, checkpoint, sizes)
    is_exported = str(checkpoint).endswith(".onnx")
    del predictor
    timings: list[Timing] = []
    with tempfile.TemporaryDirectory() as folder:
        given = dict.fromkeys(sizes, str(checkpoint))
        files = {"onnx" if is_exported else "eager": given}
        if compiled and not is_exported:
            files["compiled"] = given
        if onnx and not is_exported:
            files |= _export(checkpoint, sizes, Path(folder))
        for runtime, ones in files.items():
            try:
                timings += _in_a_process(runtime, dataclasses.replace(plan, files=ones))
            except UserError as error:
                if not timings:
                    raise
                sys.stdout.write(f"without {runtime}: {error}\n")
    _write(out, facts, timings, plan)
    return timings


def _check(plan: Plan, sizes: Sequence[Size]) -> None:
    if plan.batches[0] < 1 or plan.threads < 1 or not plan.seconds > 0:
        raise UserError("batches and threads count from 1, and seconds are above 0")
    if any(min(size) < 1 for size in sizes):
        raise UserError("sizes count pixels, at least 1")
    photos_of(plan.photos, (8, 8))  # all can be read


def _folder(out: str | Path) -> Path:
    try:
        Path(out).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror})") from error
    return Path(out)


def _own_size(predictor: Predictor) -> Size:
    card = getattr(predictor, "card", None)
    if card is not None:
        return card.size[::-1] if card.size is not None else card.scale
    return predictor.scale or _DEFAULT_SIZE


def _facts(predictor: Predictor, checkpoint: str | Path, sizes: Sequence[Size]) -> dict[str, Any]:
    """What is known without running the model."""
    facts: dict[str, Any] = {"checkpoint": Path(checkpoint).name}
    model = getattr(predictor, "model", None)
    if model is not None:
        from vitdet.model_benchmark.multiply_adds import multiply_adds

        facts["model"] = type(model).__name__
        facts["parameters"] = sum(parameter.numel() for parameter in model.parameters())
        counted = copy.deepcopy(model).to("meta")
        facts["multiply_adds"] = {}
        for width, height in sizes:
            try:
                number = multiply_adds(counted, height, width)
            except (RuntimeError, NotImplementedError, TypeError):  # a part that needs real numbers
                number = None
            facts["multiply_adds"][f"{width}x{height}"] = number
    facts["device"] = str(getattr(predictor, "device", "cpu"))
    facts["processor"], facts["cores"] = _processor(), os.cpu_count()
    return facts


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _export(
    checkpoint: str | Path, sizes: Sequence[Size], folder: Path
) -> dict[str, dict[Size, str]]:
    """The file of each size under "onnx", or nothing, with the reason on the terminal."""
    from vitdet.deploy.export import export

    files = {}
    try:
        for width, height in sizes:
            sys.stdout.write(f"exporting {width}x{height} as ONNX\n")
            sys.stdout.flush()
            target = folder / f"{width}x{height}.onnx"
            with contextlib.redirect_stdout(io.StringIO()):  # names a file that does not stay
                export(checkpoint, target, size=(height, width))
            files[width, height] = str(target)
    except UserError as error:
        sys.stdout.write(f"without ONNX: {error}\n")
        return {}
    return {"onnx": files}


def _in_a_process(runtime: str, plan: Plan) -> list[Timing]:
    """Measured where nothing else takes memory."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, runtime, plan).result()


def _write(out: Path, facts: dict[str, Any], timings: Sequence[Timing], plan: Plan) -> None:
    rows = [timing.row() for timing in timings]
    table = plain_table(*rows[0])
    for row in rows:
        table.add_row(*map(str, row.values()))
    title = facts["checkpoint"]
    if "parameters" in facts:
        title += f": {facts['model']}, {facts['parameters'] / 1e6:.1f} M parameters"
        counts = {size: n for size, n in facts["multiply_adds"].items() if n is not None}
        for size, number in counts.items():
            title += f", {number / 1e9:.1f} G multiply-adds at {size}"
    threads = f"{plan.threads} thread{'s' if plan.threads > 1 else ''}"
    where = f"{facts['device']}, {threads}, {facts['processor']}"
    with (out / "speed.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    content = {**facts, "threads": plan.threads, "photos": len(plan.photos), "cases": rows}
    (out / "speed.json").write_text(f"{json.dumps(content, indent=1)}\n")
    write_plot(timings, out / "speed.png", title=f"{title}\n{where}")
    sys.stdout.write(
        f"\n{title}\n{where}\n{render(table)}\n{out}: speed.csv, speed.json and speed.png\n"
    )
