"""What was found, set against what is there: each object's partner, and where there is none."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from vitdet.evaluation.coco_record import CocoRecord, FoundObjects

MATCH_IOU = 0.5
_NEAR_IOU = 0.1  # less overlap than this does not show what was meant

CORRECT, WRONG_CLASS, BADLY_PLACED, TWICE, NOTHING, IN_CROWD = (
    *("correct", "wrong class", "badly placed", "found twice", "nothing there", "in a crowd"),
)
FAULTS = (WRONG_CLASS, BADLY_PLACED, TWICE, NOTHING)


@dataclass(frozen=True, eq=False)
class Truth:
    """The annotated objects of one image, crowds last.

    Attributes:
        boxes: (T, 4) x, y, width, height in pixels.
        labels: (T,) places in the classes.
        is_crowd: (T,) bool.
    """

    boxes: np.ndarray
    labels: np.ndarray
    is_crowd: np.ndarray


@dataclass(frozen=True, eq=False)
class ImageMatch:
    """What was found in one image, set against its truth.

    Attributes:
        found: objects of at least `SHOWN_SCORE`.
        truth: what is annotated.
        partners: (N,) place in `truth` of each found object's partner, -1 where it has none.
        nearest: (N,) place in `truth` of what each overlaps most, -1 where it overlaps nothing.
        overlaps: (N,) IoU with that.
        verdicts: N of the words of this module.
    """

    found: FoundObjects
    truth: Truth
    partners: np.ndarray
    nearest: np.ndarray
    overlaps: np.ndarray
    verdicts: list[str]

    @property
    def num_true(self) -> int:
        return int((~self.truth.is_crowd).sum())

    @property
    def num_correct(self) -> int:
        return self.verdicts.count(CORRECT)

    @property
    def num_wrong(self) -> int:
        return sum(verdict in FAULTS for verdict in self.verdicts)

    @property
    def missed(self) -> np.ndarray:
        """(M,) places in `truth` of objects without a partner."""
        is_missed = ~self.truth.is_crowd
        is_missed[self.partners[self.partners >= 0]] = False
        return is_missed.nonzero()[0]

    @property
    def f_score(self) -> float:
        """2 correct / (found + true): 1 where all is right, NaN where nothing is there or found."""
        num = self.num_correct + self.num_wrong + self.num_true
        return 2 * self.num_correct / num if num else float("nan")


def match_images(record: CocoRecord) -> list[ImageMatch]:
    """Match each image of an evaluation that the ground truth lists."""
    truths = _truths(record.ground_truth.unpack(), record.category_ids)
    nothing = _truth([])
    return [match_image(found, truths.get(found.image_id, nothing)) for found in record.images]


def match_image(found: FoundObjects, truth: Truth) -> ImageMatch:
    """Give each found object at most one true one with an IoU of at least `MATCH_IOU`.

    Objects of the same class are matched first, those of higher score before others, as COCO does;
    what then remains is matched across classes, which tells a confusion from a miss.
    """
    boxes = found.boxes.astype(float)
    boxes[:, 2:] -= boxes[:, :2]
    size = len(boxes), len(truth.boxes)
    # Of a crowd it is the share of the found box inside it.
    overlap = np.zeros(size)
    if all(size):
        overlap[:] = coco_mask.iou(boxes, truth.boxes, truth.is_crowd.tolist())
    with_objects = np.where(truth.is_crowd, 0, overlap)
    partners = _partners(with_objects, found, truth)
    nearest = with_objects.argmax(1) if all(size) else np.full(len(boxes), -1)
    overlaps = with_objects.max(1) if all(size) else np.zeros(len(boxes))
    nearest = np.where(overlaps > 0, nearest, -1)
    same_class = found.labels[:, None] == truth.labels
    in_crowd = (same_class & truth.is_crowd & (overlap >= MATCH_IOU)).any(1)
    again = (same_class & (with_objects >= MATCH_IOU)).any(1)
    verdicts = []
    for n, partner in enumerate(partners):
        if partner >= 0:
            verdicts.append(CORRECT if same_class[n, partner] else WRONG_CLASS)
        elif in_crowd[n]:
            verdicts.append(IN_CROWD)
        elif again[n]:
            verdicts.append(TWICE)
        elif overlaps[n] >= MATCH_IOU:
            verdicts.append(WRONG_CLASS)
        else:
            verdicts.append(BADLY_PLACED if overlaps[n] >= _NEAR_IOU else NOTHING)
    return ImageMatch(found, truth, partners, nearest, overlaps, verdicts)


def confusion_matrix(matches: Sequence[ImageMatch], num_classes: int) -> np.ndarray:
    """(K + 1, K + 1) counts of true x found class.

    The last row holds what was found where nothing is its partner, the last column what was missed.
    """
    table = np.zeros((num_classes + 1, num_classes + 1), dtype=np.int64)
    for match in matches:
        for label, partner, verdict in zip(
            match.found.labels, match.partners, match.verdicts, strict=True
        ):
            if verdict != IN_CROWD:
                row = match.truth.labels[partner] if partner >= 0 else num_classes
                table[row, label] += 1
        np.add.at(table, (match.truth.labels[match.missed], num_classes), 1)
    return table


def _partners(overlap: np.ndarray, found: FoundObjects, truth: Truth) -> np.ndarray:
    """(N,) places in `truth`, -1 for none; overlap: (N, T)."""
    partners = np.full(len(overlap), -1)
    is_free = np.ones(overlap.shape[1], dtype=bool)
    rows, columns = (overlap >= MATCH_IOU).nonzero()
    is_other = found.labels[rows] != truth.labels[columns]
    for i in np.lexsort((-overlap[rows, columns], -found.scores[rows], is_other)):
        n, t = rows[i], columns[i]
        if partners[n] < 0 and is_free[t]:
            partners[n], is_free[t] = t, False
    return partners


def _truths(content: Mapping[str, Any], category_ids: Mapping[str, int]) -> dict[Any, Truth]:
    label_of = {category_id: label for label, category_id in enumerate(category_ids.values())}
    entries: dict[Any, list] = defaultdict(list)
    for ann in content["annotations"]:
        if ann["category_id"] in label_of:
            crowd = bool(ann.get("iscrowd", 0))
            entries[ann["image_id"]].append((crowd, label_of[ann["category_id"]], ann["bbox"]))
    return {image_id: _truth(ones) for image_id, ones in entries.items()}


def _truth(entries: Sequence[tuple[bool, int, Sequence[float]]]) -> Truth:
    entries = sorted(entries, key=lambda one: one[0])
    return Truth(
        boxes=np.array([box for *_, box in entries], dtype=float).reshape(-1, 4),
        labels=np.array([label for _, label, _ in entries], dtype=int),
        is_crowd=np.array([crowd for crowd, *_ in entries], dtype=bool),
    )
