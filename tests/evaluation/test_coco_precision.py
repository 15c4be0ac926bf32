"""Our pairing against pycocotools', to the bit, where ties, crowds and crowding are frequent."""

from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from vitdet.evaluation.coco_backends import run_backend
from vitdet.evaluation.coco_detections import Detections

CATEGORIES = [3, 5, 11]
SIZE = (60, 80)


def regions(rng: np.random.Generator, count: int) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Boxes on a coarse grid, many of them equal, and masks of most of their pixels."""
    corners = rng.integers(0, 4, (count, 2)) * 8
    sides = rng.integers(1, 7, (count, 2)) * 8
    masks = np.zeros((*SIZE, count), np.uint8, order="F")
    for k, ((x, y), (width, height)) in enumerate(zip(corners, sides, strict=True)):
        pixels = masks[y : y + height, x : x + width, k]
        pixels[:] = rng.random(pixels.shape) < rng.choice([0.8, 1.0])
    return np.concatenate([corners, sides], axis=1).astype(float), coco_mask.encode(masks)


def problem(
    seed: int, *, num_objects: int, num_detections: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Detections]:
    """Four images, the last without objects; scores of two digits, some of them equal."""
    rng = np.random.default_rng(seed)
    images = [dict(id=k, height=SIZE[0], width=SIZE[1]) for k in range(4)]
    boxes, codes = regions(rng, num_objects)
    targets = [
        {
            "id": k + 1,
            "image_id": int(rng.integers(3)),
            "category_id": int(rng.choice(CATEGORIES[:2])),
            "iscrowd": int(rng.random() < 0.15),
            "bbox": box.tolist(),
            "segmentation": code,
            "area": float(rng.choice([box[2] * box[3], 1023.9, 1024, 9216, 1e5])),
        }
        for k, (box, code) in enumerate(zip(boxes, codes, strict=True))
    ]
    boxes, codes = regions(rng, num_detections)
    scores = rng.random(num_detections).round(2)
    detections = Detections(
        list(range(4)),
        rng.integers(0, 4, num_detections),
        rng.choice(CATEGORIES, num_detections),
        scores,
        rng.permutation(scores),
        boxes,
        codes,
        {},
    )
    return images, targets, detections


@pytest.mark.parametrize("iou_type", ["bbox", "segm"])
@pytest.mark.parametrize(
    "counts", [(30, 60), (3, 900), (60, 7), (1, 1), (5, 0), (40, 400)], ids=str
)
def test_arrays_are_those_of_pycocotools(iou_type: str, counts: tuple[int, int]) -> None:
    for seed in range(3):
        images, targets, detections = problem(seed, num_objects=counts[0], num_detections=counts[1])
        ours, theirs = (
            run_backend(
                *(backend, images, CATEGORIES),
                targets=targets,
                detections=detections,
                iou_type=iou_type,
            )
            for backend in ("numpy", "pycocotools")
        )
        for mine, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(mine, other)
    if min(counts) > 7:
        assert 0 < theirs[0][theirs[0] > -1].mean() < 1
