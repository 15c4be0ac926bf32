"""Images matched some at a time give the numbers of all at once, to the bit."""

from typing import Any

import numpy as np
import pytest

from tests.evaluation.coco_samples import perturbed, square
from vitdet.evaluation.coco_detections import Detections
from vitdet.evaluation.coco_image_matching import ImageMatcher
from vitdet.evaluation.coco_scores import CocoScores, evaluate_coco, evaluate_matched
from vitdet.evaluation.packed_truth import PackedTruth

CLASSES = ("dog", "cat")  # ids 9 and 4; "cow" does not count
LABELS = {9: 0, 4: 1}
NUM_IMAGES = 40


def crowded_truth() -> dict[str, Any]:
    """Up to twelve squares in each image, of three classes, some crowds, some of no area stated."""
    rng = np.random.default_rng(0)
    images = [dict(id=f"{k}.jpg", height=150, width=150) for k in rng.permutation(NUM_IMAGES)]
    annotations = []
    for image in images:
        for _ in range(rng.integers(0, 12)):
            x, y, side = (int(one) for one in (*rng.integers(0, 40, 2), rng.integers(10, 110)))
            annotation = dict(
                id=len(annotations) + 1, image_id=image["id"], bbox=[x, y, side, side]
            )
            annotation |= dict(category_id=int(rng.choice([4, 9, 6])), area=side**2)
            annotation |= dict(iscrowd=int(rng.random() < 0.1), segmentation=square(x, y, side))
            if rng.random() < 0.3:
                del annotation["area"]
            annotations.append(annotation)
    names = {9: "dog", 4: "cat", 6: "cow"}
    categories = [dict(id=number, name=name) for number, name in names.items()]
    return dict(images=images, annotations=annotations, categories=categories)


def results_of(truth: dict[str, Any], detections: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As `CocoMetric` keeps them; boxes of whole pixels, which float32 holds."""
    results = []
    for image in truth["images"]:
        here = [one for one in detections if one["image_id"] == image["id"]]
        boxes = np.array([one["bbox"] for one in here]).reshape(-1, 4).round()
        boxes[:, 2:] += boxes[:, :2]
        result = dict(
            image_id=image["id"], boxes=boxes, masks=[one["segmentation"] for one in here]
        )
        result["scores"] = np.array([one["score"] for one in here])
        result["mask_scores"] = result["scores"][::-1]
        result["labels"] = np.array([LABELS[one["category_id"]] for one in here], dtype=np.int64)
        results.append(result)
    return results


def assert_equal(ours: CocoScores, theirs: CocoScores) -> None:
    np.testing.assert_equal(vars(ours), vars(theirs))  # IoUScores compare without curves
    for name in ("bbox", "segm"):
        np.testing.assert_equal(vars(getattr(ours, name)), vars(getattr(theirs, name)))


@pytest.mark.parametrize("images_at_once", [1, 7, NUM_IMAGES])
def test_numbers_are_those_of_all_at_once(images_at_once: int) -> None:
    truth = crowded_truth()
    kept = [one for one in perturbed(truth, seed=1) if one["category_id"] in LABELS]
    results = results_of(truth, kept)
    matcher = ImageMatcher(PackedTruth(truth), CLASSES, ("bbox", "segm"))
    matched: dict[str, Any] = {}
    order = np.random.default_rng(2).permutation(NUM_IMAGES)
    for begin in range(0, NUM_IMAGES, images_at_once):
        some = [results[k] for k in order[begin : begin + images_at_once]]
        matched |= zip([one["image_id"] for one in some], matcher(some), strict=True)
    ours = evaluate_matched(truth, matched, classes=CLASSES)
    theirs = evaluate_coco(truth, Detections.from_results(results, [9, 4]), classes=CLASSES)
    assert_equal(ours, theirs)
    assert 0.05 < theirs.bbox.ap < theirs.bbox.ap50 < 0.95
    assert theirs.segm.ap != theirs.bbox.ap


def test_nothing_is_said_of_an_image_that_is_there_twice() -> None:
    truth = crowded_truth()
    results = results_of(truth, [])
    matcher = ImageMatcher(PackedTruth(truth), CLASSES, ("bbox",))
    assert matcher([*results[:3], results[1]]) == [{}, {}, {}, {}]
    assert all("bbox" in one for one in matcher(results))
