"""Ground truth and detections for the tests of the evaluation, small or made from real labels."""

from typing import Any

import numpy as np

from vitdet.evaluation.rle import segmentation_to_rle


def square(x: float, y: float, side: float) -> list[list[float]]:
    """A square as a COCO polygon, its corner at (x, y)."""
    return [[x, y, x + side, y, x + side, y + side, x, y + side]]


def two_fruits() -> dict[str, Any]:
    """Two images, of an apple and a pear each, in categories whose ids are not in name order."""
    annotations = []
    for image_id in (7, 8):
        for category_id, corner in ((1, 10), (5, 60)):
            annotations.append(
                {
                    "id": len(annotations),  # COCO's evaluators mistake id 0 for "unmatched"
                    "image_id": image_id,
                    "category_id": category_id,
                    "bbox": [corner, corner, 30, 30],
                    "area": 900,
                    "iscrowd": 0,
                    "segmentation": square(corner, corner, 30),
                }
            )
    return {
        "images": [{"id": i, "file_name": f"{i}.jpg", "height": 100, "width": 120} for i in (7, 8)],
        "annotations": annotations,
        "categories": [{"id": 5, "name": "apple"}, {"id": 1, "name": "pear"}],
    }


def perturbed(ground_truth: dict[str, Any], *, seed: int) -> list[dict[str, Any]]:
    """Detections from moved and resized labels: some lost, some of a wrong class, scores tied."""
    rng = np.random.default_rng(seed)
    sizes = {image["id"]: (image["height"], image["width"]) for image in ground_truth["images"]}
    ids = [category["id"] for category in ground_truth["categories"]]
    detections = []
    for ann in ground_truth["annotations"]:
        for _ in range(rng.integers(0, 4)):
            x, y, width, height = ann["bbox"]
            shift = rng.normal(0, 0.1, 2) * (width, height)
            scale = np.exp(rng.normal(0, 0.1, 2))
            segmentation = ann["segmentation"]
            if isinstance(segmentation, list):
                polygons = [np.reshape(polygon, (-1, 2)) for polygon in segmentation]
                moved = [(p - (x, y)) * scale + (x, y) + shift for p in polygons]
                segmentation = [polygon.ravel().tolist() for polygon in moved]
            detections.append(
                {
                    "image_id": ann["image_id"],
                    "category_id": int(rng.choice(ids))
                    if rng.random() < 0.1
                    else ann["category_id"],
                    "score": round(float(rng.random()), 2),
                    "bbox": [x + shift[0], y + shift[1], width * scale[0], height * scale[1]],
                    "segmentation": segmentation_to_rle(segmentation, *sizes[ann["image_id"]]),
                }
            )
    return detections
