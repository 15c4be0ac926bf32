"""Time and memory of the data check on generated COCO annotations, images not opened.

    python benchmarks/data_check.py [--images 100000] [--instances 1000000]

The check runs in a process of its own; its peak of memory is what the system counted. Kept in
`benchmarks/results/data_check_cpu.json`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import harness
import numpy as np
import torch

RESULT = Path(__file__).parent / "results" / "data_check_cpu.json"
WIDTH, HEIGHT, NUM_CLASSES, NUM_POINTS = 640, 480, 80, 12

CHECK = """
import json, resource, sys, time
start = time.perf_counter()
from vitdet.data_check.check import DataCheck
from vitdet.data_check.summary import summary
from vitdet.datasets.formats.recognise import read_folder
imported = time.perf_counter()
folder = read_folder(sys.argv[1])
read = time.perf_counter()
check = DataCheck(folder, reading="names")
text = summary(check)
done = time.perf_counter()
print(json.dumps({
    "import_s": imported - start, "read_s": read - imported, "check_s": done - read,
    "total_s": done - start, "total_cpu_s": time.process_time(),
    "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    "kinds": {one.kind: one.count for one in check.findings},
}))
"""


def write_data(
    root: Path, num_images: int, num_instances: int, *, photo: Path | None = None
) -> Path:
    """`instances.json` with polygons of twelve points, and `images/` of empty files, or of links to
    one photo."""
    generator = np.random.default_rng(0)
    (root / "images").mkdir()
    names = [f"{i:012d}.jpg" for i in range(1, num_images + 1)]
    for name in names:
        if photo is None:
            (root / "images" / name).touch()
        else:
            (root / "images" / name).symlink_to(photo)
    corner = generator.uniform(0, 0.7, (num_instances, 2)) * (WIDTH, HEIGHT)
    size = generator.uniform(0.03, 0.3, (num_instances, 2)) * (WIDTH, HEIGHT)
    angle = np.linspace(0, 2 * np.pi, NUM_POINTS, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)  # touches its box on all sides
    owner = generator.integers(1, num_images + 1, num_instances)
    category = generator.integers(1, NUM_CLASSES + 1, num_instances)
    with (root / "instances.json").open("w") as file:
        images = [
            {"id": i, "file_name": name, "width": WIDTH, "height": HEIGHT}
            for i, name in enumerate(names, 1)
        ]
        categories = [{"id": i, "name": f"class {i:02d}"} for i in range(1, NUM_CLASSES + 1)]
        file.write(f'{{"images": {json.dumps(images)}, "categories": {json.dumps(categories)}')
        file.write(', "annotations": [')
        for i in range(num_instances):
            polygon = corner[i] + size[i] * (circle + 1) / 2
            annotation = {
                "id": i + 1,
                "image_id": int(owner[i]),
                "category_id": int(category[i]),
                "bbox": [*corner[i].round(2).tolist(), *size[i].round(2).tolist()],
                "area": round(0.75 * float(size[i].prod()), 2),  # of a regular twelve-sided polygon
                "iscrowd": 0,
                "segmentation": [polygon.round(2).ravel().tolist()],
            }
            file.write(", " * (i > 0) + json.dumps(annotation))
        file.write("]}")
    return root / "instances.json"


def measure(num_images: int, num_instances: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        ann_file = write_data(Path(folder), num_images, num_instances)
        mebibytes = ann_file.stat().st_size / 2**20
        run = subprocess.run(
            [sys.executable, "-c", CHECK, folder], capture_output=True, text=True, check=True
        )
    figures = json.loads(run.stdout)
    rounded = {k: round(v, 2) if isinstance(v, float) else v for k, v in figures.items()}
    return {"json_mib": round(mebibytes), **rounded}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--instances", type=int, default=1_000_000)
    arguments = parser.parse_args()
    result = {
        "machine": harness.machine(torch.device("cpu")),
        "images": arguments.images,
        "instances": arguments.instances,
        **measure(arguments.images, arguments.instances),
    }
    # Far above the number of cores, the processor's time tells, and the clock does not.
    result["load_average"] = round(os.getloadavg()[0], 1)
    print(json.dumps(result, indent=1))
    if arguments.instances >= 1_000_000:
        RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
