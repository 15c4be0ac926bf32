"""Memory of a COCO data set in a training with four workers, ours against mmdet's on mmengine.

    python benchmarks/dataset_memory.py [--images 30000 118000]

A process loads generated annotations (seven objects an image, polygons of twelve points) and its
workers pass over all labels once; images are not opened. Counted is the proportional set size of
all five (a page that several share counts once in all), less that of the same on a hundred images.
Kept in `benchmarks/results/dataset_memory.json`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import harness
import torch
from loader_memory import FEW, MEBIBYTE, write_splits

RESULT = Path(__file__).parent / "results" / "dataset_memory.json"
OBJECTS = 7  # of an image; COCO has 7.3
LIBRARIES = ("vitdet", "mmdet")

LOADING = r"""
import json, os, re, sys
import vitdet
from multiprocessing import active_children
from mmengine.registry import init_default_scope
from torch.utils.data import DataLoader

def pss(ids):
    texts = [open(f"/proc/{id}/smaps_rollup").read() for id in ids]
    return sum(int(re.search(r"Pss:\s+(\d+) kB", text)[1]) for text in texts) / 2**10

init_default_scope("mmdet")
library, folder = sys.argv[1:]
if library == "vitdet":
    from vitdet.datasets import CocoDataset
else:
    from mmdet.datasets import CocoDataset
classes = tuple(f"class {k:02d}" for k in range(1, 81))
dataset = CocoDataset(
    ann_file=f"{folder}/annotations.json",
    data_prefix=dict(img=f"{folder}/images"),
    metainfo=dict(classes=classes),
    filter_cfg=dict(filter_empty_gt=True, min_size=32),
    pipeline=[],
)
loaded = pss([os.getpid()])
dataset.pipeline = lambda info: len(info["instances"])
options = dict(batch_size=64, shuffle=True, num_workers=4, persistent_workers=True)
loader = DataLoader(dataset, collate_fn=sum, **options)
instances = sum(loader)
workers = [child.pid for child in active_children()]
assert len(workers) == 4
print(json.dumps({
    "images": len(dataset), "instances": instances,
    "mib": {"loaded": loaded, "with 4 workers": pss([os.getpid(), *workers])},
}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, nargs="+", default=[30_000, 118_000])
    arguments = parser.parse_args()
    result = {"machine": harness.machine(torch.device("cpu"))}
    for num_images in arguments.images:
        with tempfile.TemporaryDirectory() as place:
            few, many = Path(place) / "few", Path(place) / "many"
            write_splits(few, *FEW)
            write_splits(many, num_images, OBJECTS * num_images)
            result[f"{num_images} images"] = compared(few / "train", many / "train")
    print(json.dumps(result, indent=1))
    if max(arguments.images) >= 118_000:
        kept = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
        RESULT.write_text(json.dumps(kept | result, indent=1) + "\n")


def compared(few: Path, many: Path) -> dict[str, Any]:
    """What the large set takes more than the small one, in MiB, by either library."""
    loads = {name: (load(name, few), load(name, many)) for name in LIBRARIES}
    found = {(full["images"], full["instances"]) for _, full in loads.values()}
    assert len(found) == 1, f"the libraries load different data: {found}"
    grown = {
        name: {key: round(full["mib"][key] - base["mib"][key], 1) for key in full["mib"]}
        for name, (base, full) in loads.items()
    }
    figures = {f"{name}, {key}": value for name in LIBRARIES for key, value in grown[name].items()}
    ours, theirs = (grown[name]["with 4 workers"] for name in LIBRARIES)
    json_mib = (many / "annotations.json").stat().st_size / MEBIBYTE
    return {"annotation file": round(json_mib), **figures, "ratio": round(ours / theirs, 3)}


def load(library: str, folder: Path) -> dict[str, Any]:
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOADING, library, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(run.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
