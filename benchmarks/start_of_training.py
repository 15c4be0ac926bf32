"""How often a training reads its annotation file, and what it takes until its data set is there.

    python benchmarks/start_of_training.py [--images 30000]

A process completes a config with `--data`, which checks the data, then loads the data set and the
metric, as a training does; generated labels of seven objects an image, images are not opened.
Seconds of processor time; `benchmarks/results/start_of_training.json`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import harness
import torch
from dataset_memory import OBJECTS
from loader_memory import MEBIBYTE, write_splits

RESULT = Path(__file__).parent / "results" / "start_of_training.json"

START = r"""
import json, sys, time
from mmengine.registry import METRICS, init_default_scope
from vitdet.datasets import coco_files
from vitdet.engine import load_config
from mmengine.runner import Runner

read, files = coco_files._read_json, []
def counted(file):
    begin = time.process_time()
    try:
        return read(file)
    finally:
        files.append((str(file), time.process_time() - begin))
coco_files._read_json = counted
init_default_scope("mmdet")
begin = time.process_time()
config = load_config("swin_maskrcnn_coco", data=sys.argv[1])
completed = time.process_time()
node = config["train_dataloader"]
node.update(num_workers=0, persistent_workers=False)
node["dataset"]["pipeline"] = []
Runner.build_dataloader(node, seed=0)
METRICS.build(config["val_evaluator"])
train = [seconds for file, seconds in files if "/train/" in file]
print(json.dumps({
    "reads of the training's file": len(train),
    "reads of the validation's file": len(files) - len(train),
    "seconds of these": round(sum(seconds for _, seconds in files), 2),
    "seconds: config completed, data checked": round(completed - begin, 2),
    "seconds: data set and metric": round(time.process_time() - completed, 2),
}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=30_000)
    num_images = parser.parse_args().images
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "data"
        write_splits(folder, num_images, OBJECTS * num_images)
        size = (folder / "train" / "annotations.json").stat().st_size
        run = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", START, str(folder)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={**os.environ, "VITDET_CACHE": f"{place}/cache"},
        )
    result = {
        "machine": harness.machine(torch.device("cpu")),
        "images": num_images,
        "json MiB": round(size / MEBIBYTE),
        "start": json.loads(run.stdout.splitlines()[-1]),
    }
    print(json.dumps(result, indent=1))
    if num_images >= 30_000:
        RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
