"""Memory of a training's data: the process and its loader's workers, on generated COCO annotations.

    python benchmarks/loader_memory.py [--images 100000] [--instances 1000000]

A process completes a config as a training does, loads the data set, and for each number of workers
passes over all labels once; images are not opened. What is counted is the proportional set size of
the process and its workers (a page that several share counts once in all), less that of the same
on a hundred images. Kept in `benchmarks/results/loader_memory.json`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import data_check
import harness
import torch
from PIL import Image

RESULT = Path(__file__).parent / "results" / "loader_memory.json"
FEW = (100, 1000)  # images and instances of the small set
MEBIBYTE = 2**20

TRAINING = r"""
import json, os, re, resource, sys
from multiprocessing import active_children
from vitdet.engine import load_config
from mmengine.runner import Runner
from mmengine.registry import init_default_scope
from torch.utils.data import DataLoader

def pss():
    ids = (os.getpid(), *(child.pid for child in active_children()))
    texts = [open(f"/proc/{id}/smaps_rollup").read() for id in ids]
    return sum(int(re.search(r"Pss:\s+(\d+) kB", text)[1]) for text in texts) / 2**10

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10

init_default_scope("mmdet")
config = load_config("swin_maskrcnn_coco", data=sys.argv[1])
figures = {"config": pss(), "config, peak": peak()}
node = config["train_dataloader"]
node.update(num_workers=0, persistent_workers=False)
node["dataset"]["pipeline"] = []
dataset = Runner.build_dataloader(node, seed=0).dataset
figures |= {"loaded": pss(), "loaded, peak": peak()}
dataset.pipeline = lambda info: len(info["instances"])
for workers in (0, 2, 8):
    options = dict(batch_size=64, shuffle=True, collate_fn=sum)
    loader = DataLoader(
        dataset, num_workers=workers, persistent_workers=workers > 0, **options
    )
    instances = sum(loader)
    figures[f"{workers} workers"] = pss()
    del loader
print(json.dumps({"images": len(dataset), "instances": instances, "mib": figures}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--instances", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        few, many = Path(place) / "few", Path(place) / "many"
        write_splits(few, *FEW)
        write_splits(many, arguments.images, arguments.instances)
        result = {"machine": harness.machine(torch.device("cpu")), **growth(few, many)}
    print(json.dumps(result, indent=1))
    if arguments.instances >= 1_000_000:
        RESULT.write_text(json.dumps(result, indent=1) + "\n")


def write_splits(root: Path, num_images: int, num_instances: int) -> None:
    """A training set of that size and a small one to validate on, without pictures."""
    root.mkdir()
    photo = root / "photo.png"
    Image.new("RGB", (data_check.WIDTH, data_check.HEIGHT)).save(photo)
    for split, size in (("train", (num_images, num_instances)), ("val", FEW)):
        (root / split).mkdir()
        ann_file = data_check.write_data(root / split, *size, photo=photo)
        ann_file.rename(root / split / "annotations.json")


def growth(few: Path, many: Path) -> dict[str, Any]:
    """What the large set takes more than the small one, in MiB and in sizes of its file."""
    base, full = train(few), train(many)
    mebibytes = (many / "train" / "annotations.json").stat().st_size / MEBIBYTE
    grown = {key: full["mib"][key] - base["mib"][key] for key in full["mib"]}
    return {
        "images": full["images"],
        "instances": full["instances"],
        "json_mib": round(mebibytes),
        "grown_mib": {key: round(value) for key, value in grown.items()},
        "grown_over_json": {key: round(value / mebibytes, 2) for key, value in grown.items()},
    }


def train(folder: Path) -> dict[str, Any]:
    environment = {**os.environ, "VITDET_CACHE": str(folder / "cache")}
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TRAINING, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=environment,
    )
    return json.loads(run.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
