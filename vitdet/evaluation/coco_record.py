"""What an evaluation of boxes leaves behind, so that a report can be made of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vitdet.evaluation.coco_scores import CocoScores
from vitdet.evaluation.packed_truth import PackedTruth
from vitdet.evaluation.rle import RLE

SHOWN_SCORE = 0.3
"""Score from which an object is drawn and counted as found; average precision regards all."""


@dataclass(frozen=True, eq=False)
class FoundObjects:
    """What was found in one image with a score of at least `SHOWN_SCORE`.

    Attributes:
        image_id: of the annotation file.
        boxes: (N, 4) xyxy in pixels of the original image.
        scores: (N,) 0 to 1.
        labels: (N,) places in the data set's classes.
        masks: N run-length codes, or None where the metric compares boxes only.
    """

    image_id: Any
    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    masks: list[RLE] | None


@dataclass(frozen=True, eq=False)
class CocoRecord:
    """Scores, ground truth and what was found in each image.

    `category_ids` gives the id in `ground_truth` of each class, in the order of the labels.
    """

    scores: CocoScores
    ground_truth: PackedTruth
    category_ids: Mapping[str, int]
    images: Sequence[FoundObjects]


def found_objects(result: Mapping[str, Any]) -> FoundObjects:
    """What `CocoMetric` keeps of an image, without the many objects of low score."""
    shown = np.flatnonzero(result["scores"] >= SHOWN_SCORE)
    masks = result.get("masks")
    return FoundObjects(
        image_id=result["image_id"],
        boxes=result["boxes"][shown].astype(np.float32),
        scores=result["scores"][shown].astype(np.float32),
        labels=result["labels"][shown],
        masks=None if masks is None else [masks[i] for i in shown.tolist()],
    )
