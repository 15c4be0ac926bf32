"""From the last prediction to COCO's table, detections matched at the end or in a side process.

    python benchmarks/evaluation_aside.py [--images 2000]

A hundred detections with masks in each image go through `CocoMetric`, without a model. Counted are
seconds of processor time: of the process while it hands over batches, then from the last
prediction to the numbers, and of the side process, which a model has to be slower than per image
for nobody to wait. The numbers of both ways are equal. `benchmarks/results/evaluation_aside.json`.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import harness
import torch
from coco_evaluation import PER_IMAGE, synthetic

from vitdet.evaluation import CocoMetric

RESULT = Path(__file__).parent / "results" / "evaluation_aside.json"
BATCH = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    num_images = parser.parse_args().images
    truth, results = synthetic(num_images, with_masks=True)
    samples = [sample(one) for one in results]
    figures, scores = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        ann_file = Path(folder) / "annotations.json"
        ann_file.write_text(json.dumps(truth))
        for name, is_aside in (("matched at the end", False), ("matched aside", True)):
            figures[name], scores[name] = evaluated(ann_file, truth, samples, is_aside=is_aside)
    assert scores["matched at the end"] == scores["matched aside"]
    result = {
        "machine": harness.machine(torch.device("cpu")),
        "images": num_images,
        "detections of an image": PER_IMAGE,
        **figures,
    }
    print(json.dumps(result, indent=1))
    if num_images >= 2000:
        RESULT.write_text(json.dumps(result, indent=1) + "\n")


def sample(result: dict[str, Any]) -> dict[str, Any]:
    columns = {key: torch.from_numpy(result[key]) for key in ("scores", "labels")}
    boxes = torch.from_numpy(result["boxes"])
    predicted = dict(bboxes=boxes, masks=result["masks"], **columns)
    return dict(img_id=result["image_id"], pred_instances=predicted)


def evaluated(
    ann_file: Path, truth: dict[str, Any], samples: list[dict[str, Any]], *, is_aside: bool
) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds of processor time, and the scores."""
    metric = CocoMetric(ann_file)
    metric._matches_aside = is_aside
    metric.dataset_meta = dict(classes=[one["name"] for one in truth["categories"]])
    children = sum(os.times()[2:4])
    begin = time.process_time()
    for k in range(0, len(samples), BATCH):
        metric.process(None, samples[k : k + BATCH])
    last = time.process_time()
    scores = metric.evaluate(len(samples))
    end = time.process_time()
    found = {"until the last prediction": last - begin, "from then to the table": end - last}
    if is_aside:
        found["of the side process"] = sum(os.times()[2:4]) - children
    return {key: round(value, 2) for key, value in found.items()}, scores


if __name__ == "__main__":
    main()
