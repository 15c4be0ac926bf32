"""Latency and throughput by batch as one picture."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from matplotlib.figure import Figure

from vitdet.model_benchmark.timing import Timing

_COLOURS = {"eager": "#1668b8", "compiled": "#d9730d", "onnx": "#2a9d5c"}
_STYLES = (("o", "-"), ("s", "--"), ("^", ":"), ("D", "-."))


def write_plot(timings: Sequence[Timing], path: Path, *, title: str) -> None:
    """Draw p50 with a band up to p99, and images in a second, over the batch.

    A runtime has a colour, a size of images a kind of line.
    """
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    latency, throughput = figure.subplots(1, 2)
    sizes = list(dict.fromkeys(one.size_text for one in timings))
    batches = sorted({one.batch for one in timings})
    for (runtime, size), group in groupby(timings, key=lambda one: (one.runtime, one.size_text)):
        line = list(group)
        marker, style = _STYLES[sizes.index(size) % len(_STYLES)]
        look = dict(color=_COLOURS[runtime], marker=marker, linestyle=style)
        at = [one.batch for one in line]
        middle, high = ([one.milliseconds(p) for one in line] for p in (50, 99))
        latency.plot(at, middle, label=f"{runtime}, {size}", **look)
        latency.fill_between(at, middle, high, color=_COLOURS[runtime], alpha=0.15, linewidth=0)
        throughput.plot(at, [one.images_per_second for one in line], **look)
    latency.set(xlabel="images in a batch", ylabel="milliseconds", title="a batch: p50, up to p99")
    throughput.set(xlabel="images in a batch", ylabel="images per second", title="throughput")
    for axes in (latency, throughput):
        axes.set_ylim(0, 1.06 * axes.get_ylim()[1])
        axes.set_xticks(batches)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(*latency.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle(title)
    figure.savefig(path, dpi=110)
