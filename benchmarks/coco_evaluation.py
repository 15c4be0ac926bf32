"""COCO's average precision of 100 detections in each of 5,000 images, against its two evaluators.

All start from what a model's predictions are after a pass over the images: per image boxes, scores
and labels, and run-length codes of masks. Compared are the twelve numbers.
"""

import contextlib
import io
from functools import partial
from typing import Any

import numpy as np
import torch
from harness import Benchmark, Case, Step
from pycocotools import mask as coco_mask
from torch import Tensor

NUM_CLASSES, PER_IMAGE, OBJECTS = 80, 100, 7
WIDTH, HEIGHT = 640, 480
CORNERS = np.array([0.3, 0, 0.7, 0, 1, 0.4, 0.9, 1, 0.2, 0.95, 0, 0.5])  # of a mask, in its box


def synthetic(num_images: int, *, with_masks: bool) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """COCO's ground truth, and what is found: three quarters are objects, moved a little."""
    rng = np.random.default_rng(0)
    images, annotations, results = [], [], []
    for image_id in range(1, num_images + 1):
        images.append(dict(id=image_id, file_name="", height=HEIGHT, width=WIDTH))
        sides = np.exp(rng.uniform(np.log(8), np.log(300), (OBJECTS, 2)))
        corners = rng.random((OBJECTS, 2)) * (WIDTH - 320, HEIGHT - 320) + 5
        labels = rng.integers(0, NUM_CLASSES, OBJECTS)
        for corner, side, label in zip(corners, sides, labels, strict=True):
            box = np.concatenate([corner, side])
            annotation = dict(id=len(annotations) + 1, image_id=image_id, iscrowd=0)
            annotation |= dict(category_id=int(label) + 1, bbox=box.tolist())
            annotation |= dict(area=float(side.prod()), segmentation=[outline(box)])
            annotations.append(annotation)
        source = rng.integers(0, OBJECTS, PER_IMAGE)
        spread = np.where(rng.random(PER_IMAGE) < 0.75, 0.1, 2.0)[:, None]
        found_sides = sides[source] * np.exp(rng.normal(0, 0.1, (PER_IMAGE, 2)))
        found = corners[source] + sides[source] * rng.normal(0, 1, (PER_IMAGE, 2)) * spread
        boxes = np.concatenate([found, found + found_sides], axis=1).clip(0, WIDTH - 1)
        is_other = rng.random(PER_IMAGE) < 0.3
        result = {
            "image_id": image_id,
            "boxes": boxes.astype(np.float32),
            "scores": rng.random(PER_IMAGE, dtype=np.float32),
            "labels": np.where(is_other, rng.integers(0, NUM_CLASSES, PER_IMAGE), labels[source]),
        }
        if with_masks:
            outlines = [outline([x, y, x2 - x, y2 - y]) for x, y, x2, y2 in boxes.tolist()]
            codes = coco_mask.frPyObjects(outlines, HEIGHT, WIDTH)
            result["masks"] = [dict(code, counts=code["counts"].decode()) for code in codes]
        results.append(result)
    categories = [dict(id=k + 1, name=f"class {k}") for k in range(NUM_CLASSES)]
    return dict(images=images, annotations=annotations, categories=categories), results


def outline(box: Any) -> list[float]:
    return (np.tile(box[:2], 6) + CORNERS * np.tile(box[2:], 6)).tolist()


def vitdet_step(case: Case, device: torch.device) -> Step:
    from vitdet.evaluation import evaluate_coco
    from vitdet.evaluation.coco_detections import Detections

    iou_type = case.options["type"]
    truth, results = synthetic(case.options["images"], with_masks=iou_type == "segm")
    ids = list(range(1, NUM_CLASSES + 1))

    def step() -> list[Tensor]:
        detections = Detections.from_results(results, ids)
        scores = evaluate_coco(truth, detections, iou_types=(iou_type,))
        return [torch.tensor(getattr(scores, iou_type).stats, dtype=torch.float64)]

    return step


def peer_step(library: str, case: Case, device: torch.device) -> Step:
    """As their users call it: a list of dicts, `loadRes`, `evaluate`, `accumulate`."""
    if library == "pycocotools":
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    else:
        from faster_coco_eval import COCO
        from faster_coco_eval import COCOeval_faster as COCOeval

    iou_type = case.options["type"]
    truth, results = synthetic(case.options["images"], with_masks=iou_type == "segm")

    def step() -> list[Tensor]:
        with contextlib.redirect_stdout(io.StringIO()):
            ground_truth = COCO()
            ground_truth.dataset = truth
            ground_truth.createIndex()
            evaluator = COCOeval(ground_truth, ground_truth.loadRes(entries(results)), iou_type)
            evaluator.evaluate()
            evaluator.accumulate()
            evaluator.summarize()
        return [torch.tensor(evaluator.stats[:12].tolist(), dtype=torch.float64)]

    return step


def entries(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """COCO's result format."""
    found = []
    for result in results:
        boxes = result["boxes"].astype(np.float64)
        boxes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).tolist()
        rows = zip(boxes, result["scores"].tolist(), result["labels"].tolist(), strict=True)
        for k, (box, score, label) in enumerate(rows):
            entry = dict(image_id=result["image_id"], category_id=label + 1, score=score)
            shape = dict(segmentation=result["masks"][k]) if "masks" in result else dict(bbox=box)
            found.append(entry | shape)
    return found


def cases(is_quick: bool) -> list[Case]:
    images = 100 if is_quick else 5000
    return [
        Case(f"{images} images, {name}", dict(images=images, type=iou_type), tolerance=1e-9)
        for name, iou_type in (("boxes", "bbox"), ("masks", "segm"))
    ]


BENCHMARK = Benchmark(
    f"COCO's evaluation of {PER_IMAGE} detections an image",
    cases,
    {
        "vitdet": vitdet_step,
        "pycocotools": partial(peer_step, "pycocotools"),
        "faster-coco-eval": partial(peer_step, "faster-coco-eval"),
    },
)
