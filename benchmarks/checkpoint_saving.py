"""How long `last.pth` takes: weights and AdamW's averages of a config's model, written and flushed.

    python benchmarks/checkpoint_saving.py swin_maskrcnn_coco benchmarks/results/saving_cpu.json

A training saves every ten minutes at most and at the ends of epochs, so 600 s over the wall time
is the share of a long training. What a training really took stands at the end of its log.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine.registry import MODELS, DefaultScope

import vitdet  # noqa: F401  mmdet cannot be imported before it
from vitdet.checkpoints.files import write_checkpoint
from vitdet.engine.checkpoint_files import damage_of
from vitdet.engine.config import load_model_config

ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config")
    parser.add_argument("out", type=Path, nargs="?", help="json file for the result")
    arguments = parser.parse_args()
    checkpoint = trained_once(arguments.config)
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = Path(folder, "last.pth")
        writing = [timed(lambda: write_checkpoint(checkpoint, path)) for _ in range(ROUNDS)]
        checking = [timed(lambda: damage_of(path)) for _ in range(ROUNDS)]
        size = path.stat().st_size
    wall, processor = (statistics.median(times) for times in zip(*writing, strict=True))
    result = dict(
        config=arguments.config,
        mib=round(size / 2**20, 1),
        seconds_to_save=round(wall, 2),
        processor_seconds_to_save=round(processor, 2),
        processor_seconds_to_verify=round(statistics.median(each[1] for each in checking), 2),
        share_at_ten_minutes=round(wall / (600 + wall), 5),
        torch=torch.__version__,
        system=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    )
    text = json.dumps(result, indent=1)
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(f"{text}\n")


def trained_once(config_name: str) -> dict:
    """A checkpoint's weights and optimizer, as after the first step."""
    config = load_model_config(config_name)
    with DefaultScope.overwrite_default_scope(config["default_scope"]):
        model = MODELS.build(config["model"])
    optimizer = torch.optim.AdamW(model.parameters())
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    return dict(state_dict=model.state_dict(), optimizer=optimizer.state_dict())


def timed(action: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds of a call."""
    wall, processor = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - wall, time.process_time() - processor


if __name__ == "__main__":
    main()
