"""Memory of a training's data: the process and its loader's workers, on generated COCO annotations.

    python benchmarks/loader_memory.py [--images 100000] [--instances 1000000]

Each case is a process of its own, which completes a config as a training does and lets the loader's
workers pass over all labels once; images are not opened, and what leaves a worker is a number. What
is counted is the proportional set size of the process and its workers (pages that several share
count once in all), less that of the same case on a hundred images. Kept in
`benchmarks/results/loader_memory.json`.
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
WORKERS = (0, 2, 8)
FEW = (100, 1000)  # images and instances of the small set
MEBIBYTE = 2**20

TRAINING = """
import json, os, re, resource, sys, time
from multiprocessing import active_children
from vitdet.engine import load_config
from vitdet.engine.runner import Runner
from mmdet.datasets.transforms import LoadAnnotations
from mmengine.registry import DefaultScope

def pss():
    ids = (os.getpid(), *(child.pid for child in active_children()))
    texts = [open(f"/proc/{id}/smaps_rollup").read() for id in ids]
    return sum(int(re.search(r"Pss:\\s+(\\d+) kB", text)[1]) for text in texts) / 2**10

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10

folder, num_workers = sys.argv[1], int(sys.argv[2])
DefaultScope.get_instance("benchmark", scope_name="mmdet")
config = load_config("swin_maskrcnn_coco", data=folder)
figures = {"after_config_mib": pss(), "config_peak_mib": peak()}
node = config["train_dataloader"]
node.update(num_workers=num_workers, persistent_workers=num_workers > 0)
loader = Runner.build_dataloader(node, seed=0)
read_labels = LoadAnnotations(with_bbox=True, with_mask=True)

def count_masks(info):
    return len(read_labels({**info, "ori_shape": (info["height"], info["width"])})["gt_masks"])

loader.dataset.pipeline = count_masks
figures |= {"after_loading_mib": pss(), "peak_mib": peak()}
for number in (1, 2):
    instances = sum(map(sum, loader))
    figures[f"after_pass_{number}_mib"] = pss()
print(json.dumps({"images": len(loader.dataset), "instances": instances, **figures}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--instances", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        few, many = Path(place) / "few", Path(place) / "many"
        write_splits(few, *FEW)
        ann_file = write_splits(many, arguments.images, arguments.instances)
        mebibytes = ann_file.stat().st_size / MEBIBYTE
        cases = [growth(few, many, num_workers, mebibytes) for num_workers in WORKERS]
    result = {
        "machine": harness.machine(torch.device("cpu")),
        "images": arguments.images,
        "instances": arguments.instances,
        "json_mib": round(mebibytes),
        "cases": cases,
    }
    print(json.dumps(result, indent=1))
    if arguments.instances >= 1_000_000:
        RESULT.write_text(json.dumps(result, indent=1) + "\n")


def write_splits(root: Path, num_images: int, num_instances: int) -> Path:
    """A training set of that size and a small one to validate on; returns the former's file."""
    root.mkdir()
    photo = root / "photo.png"
    Image.new("RGB", (data_check.WIDTH, data_check.HEIGHT)).save(photo)
    for split, size in (("train", (num_images, num_instances)), ("val", FEW)):
        (root / split).mkdir()
        ann_file = data_check.write_data(root / split, *size, photo=photo)
        ann_file.rename(root / split / "annotations.json")
    return root / "train" / "annotations.json"


def growth(few: Path, many: Path, num_workers: int, mebibytes: float) -> dict[str, Any]:
    """What the large set takes more than the small one, in MiB and in sizes of its file."""
    base, full = train(few, num_workers), train(many, num_workers)
    grown = {key: full[key] - base[key] for key in full if key.endswith("_mib")}
    return {
        "workers": num_workers,
        "passed_over": {key: full[key] for key in ("images", "instances")},
        **{key: round(value) for key, value in grown.items()},
        "steady_over_json": round(grown["after_pass_2_mib"] / mebibytes, 2),
        "peak_over_json": round(grown["peak_mib"] / mebibytes, 2),
    }


def train(folder: Path, num_workers: int) -> dict[str, Any]:
    environment = {**os.environ, "VITDET_CACHE": str(folder / "cache")}
    run = subprocess.run(
        [sys.executable, "-c", TRAINING, str(folder), str(num_workers)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=environment,
    )
    return json.loads(run.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
