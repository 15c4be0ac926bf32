"""Swin-T compiled block by block against itself: starting cold and from the cache, and then; and
how many graphs images of sixteen sizes take.

    python benchmarks/compiled_blocks.py [--device cuda] [--size 512 672] [--stages 4]
    python benchmarks/compiled_blocks.py --graphs    # counts alone

Two processes follow each other; the first has an empty cache. Processor time on a CPU, else wall.
Graphs are counted where the compiler would get them, in training; each after the first size's is a
recompilation. The sizes are those of multi-scale training with COCO's photos, halved.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import harness
import torch

from vitdet.backbones import SwinTransformer
from vitdet.engine.compile_blocks import compile_blocks

RESULTS = Path(__file__).parent / "results"
ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", type=torch.device)
    parser.add_argument("--size", nargs=2, type=int, default=(512, 672))
    parser.add_argument("--stages", type=int, default=4, help="that are timed, the first ones")
    parser.add_argument("--graphs", action="store_true", help="count graphs, time nothing")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(arguments)))
        return
    result = {"machine": harness.machine(arguments.device)}
    if not arguments.graphs:
        result |= time_starts(arguments)
    graphs = count_graphs(arguments.device)
    result["graphs_of_16_sizes"] = {
        "of the first size": graphs[0],
        "of all": graphs[-1],
        "recompilations": graphs[-1] - graphs[0],
        "sizes until the last of them": graphs.index(graphs[-1]) + 1,
    }
    print(json.dumps(result, indent=1))
    path = RESULTS / f"compiled_blocks_{arguments.device.type}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")


def time_starts(arguments: argparse.Namespace) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as cache:
        cold, cached = (run_child(sys.argv[1:], cache) for _ in range(2))
    return {
        "size": arguments.size,
        "stages": arguments.stages,
        "first_steps_seconds": {"cold": cold["first_steps"], "cached": cached["first_steps"]},
        "step_seconds": {name: min(one[name] for one in (cold, cached)) for name in MODES},
    }


_SHORT = (240, 400, 256, 384, 272, 368, 288, 352, 304, 336, 320, 248, 392, 264, 376, 280)
_RATIOS = (1.333, 0.75, 1.5, 0.667)  # of width to height
SIZES = [
    (short, round(short * ratio)) if ratio > 1 else (round(short / ratio), short)
    for short, ratio in zip(_SHORT, _RATIOS * 4, strict=True)
]
MODES = ("eager inference", "compiled inference", "eager training", "compiled training")


def run_child(arguments: list[str], cache: str) -> dict[str, float]:
    environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": cache, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, *arguments, "--child"]
    output = subprocess.run(command, check=True, capture_output=True, env=environment, text=True)
    return json.loads(output.stdout.splitlines()[-1])


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    """Seconds of the first steps of the compiled model, and of steps of both, in turns."""
    torch.set_num_threads(1)
    device = arguments.device
    models = []
    for is_compiled in (False, True):
        torch.manual_seed(0)
        model = SwinTransformer(
            "tiny",
            depths=(2, 2, 6, 2)[: arguments.stages],
            num_heads=(3, 6, 12, 24)[: arguments.stages],
            out_indices=tuple(range(arguments.stages)),
            drop_path_rate=0.0,
        ).to(device)
        if is_compiled:
            compile_blocks(model)
        models.append(model)
    image = torch.rand(1, 3, *arguments.size, device=device)
    names = iter(MODES)
    steps = {}
    for step in (infer, train):
        for model in models:
            steps[next(names)] = lambda step=step, model=model: step(model, image)
    outputs = {name: step() for name, step in list(steps.items()) if "eager" in name}
    began = clock(device)
    for mode in ("inference", "training"):
        ours = steps[f"compiled {mode}"]()
        torch.testing.assert_close(ours, outputs[f"eager {mode}"], rtol=1e-3, atol=1e-3)
    found = {"first_steps": clock(device) - began}
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(ROUNDS):
        for name, step in steps.items():
            times[name].append(seconds(step, device))
    return found | {name: min(values) for name, values in times.items()}


def count_graphs(device: torch.device) -> list[int]:
    """How many graphs there are after images of one size, of two, and so on."""
    num_graphs = 0

    def backend(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Callable:
        nonlocal num_graphs
        num_graphs += 1
        return graph.forward

    model = SwinTransformer("tiny").to(device).train()
    compile_blocks(model, {"backend": backend})
    counts = []
    for size in SIZES:
        model(torch.rand(1, 3, *size, device=device))
        counts.append(num_graphs)
    return counts


def infer(model: torch.nn.Module, image: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model(image)[-1]


def train(model: torch.nn.Module, image: torch.Tensor) -> torch.Tensor:
    model.zero_grad(set_to_none=True)
    loss = sum(part.square().mean() for part in model(image))
    loss.backward()
    return loss.detach()


def seconds(step: Callable[[], object], device: torch.device) -> float:
    began = clock(device)
    step()
    return clock(device) - began


def clock(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return sum(os.times()[:4])  # with the compiler's processes


if __name__ == "__main__":
    main()
