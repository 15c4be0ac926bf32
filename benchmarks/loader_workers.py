"""Training steps beside the processes that prepare their images: how many, how far ahead.

    python benchmarks/loader_workers.py [--rounds 3]

The quick start, and Mask R-CNN with Swin-T on two photos of COCO128 (`PHOTOS`, see
`data_loading.py`) at 512x320. Settings take turns; each begins with workers of its own. Seconds a
step, the least of all rounds: on the clock, and of processor time, that of workers included.
`benchmarks/results/loader_workers.json`.
"""

import argparse
import gc
import json
import os
import time
from pathlib import Path
from typing import Any

import harness
import torch
from data_loading import PHOTOS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner
from torch import nn

from vitdet.engine import load_config

RESULT = Path(__file__).parent / "results" / "loader_workers.json"
SETTINGS = ((0, None), (1, 1), (1, 2), (1, 4), (2, 1), (2, 2), (2, 4))  # workers, batches ahead
STEPS = 4  # after one that is not timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    init_default_scope("mmdet")
    result: dict[str, Any] = {"machine": harness.machine(torch.device("cpu")), "threads": 1}
    result["load at the start"] = os.getloadavg()[0]
    for title, config in (("quick start", quick_start()), ("Mask R-CNN Swin-T", swin_tiny())):
        model = MODELS.build(config["model"]).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
        found: dict[str, list[tuple[float, float]]] = {}
        for _ in range(rounds):
            for setting in SETTINGS:
                loader = loader_of(config, *setting)
                found.setdefault(name_of(*setting), []).append(measure(model, optimizer, loader))
        result[title] = {
            name: {
                "seconds": round(min(clock for clock, _ in values), 4),
                "processor_seconds": round(min(used for _, used in values), 4),
            }
            for name, values in found.items()
        }
    print(json.dumps(result, indent=1))
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


def quick_start() -> Config:
    return load_config("swin_maskrcnn_shapes")


def swin_tiny() -> Config:
    labels = PHOTOS / "annotations" / "instances.json"
    config = load_config(
        "swin_maskrcnn_coco", data=labels, options={"model.backbone.init_cfg": None}
    )
    for step in config["train_dataloader"]["dataset"]["pipeline"]:
        if "scale" in step:
            step["scale"] = (512, 320)
    return config


def name_of(workers: int, ahead: int | None) -> str:
    return f"{workers} workers" + (f", {ahead} batches ahead" if ahead else "")


def loader_of(config: Config, workers: int, ahead: int | None) -> Any:
    node = dict(config["train_dataloader"], num_workers=workers, persistent_workers=False)
    node["collate_fn"] = pseudo_collate
    return Runner.build_dataloader(node | ({"prefetch_factor": ahead} if ahead else {}), seed=0)


def measure(model: nn.Module, optimizer: torch.optim.Optimizer, loader: Any) -> tuple[float, float]:
    """Seconds of a step on the clock and of processor time, the loader's part of it included."""
    batches = iter(loader)
    step(model, optimizer, next(batches))
    begun, used = time.perf_counter(), processor_seconds()
    for _ in range(STEPS):
        step(model, optimizer, next(batches))
    seconds = time.perf_counter() - begun
    used = processor_seconds() - used
    del batches
    gc.collect()
    return seconds / STEPS, used / STEPS


def step(model: nn.Module, optimizer: torch.optim.Optimizer, batch: dict[str, Any]) -> None:
    batch = model.data_preprocessor(batch, True)
    losses = model(**batch, mode="loss")
    total, _ = model.parse_losses(losses)
    optimizer.zero_grad()
    total.backward()
    optimizer.step()


def processor_seconds() -> float:
    """Of this process and of those below it that still run."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    ticks = 0
    for process in (str(os.getpid()), *children):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
