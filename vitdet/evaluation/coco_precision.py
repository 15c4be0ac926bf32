"""COCO's precision and recall from paired detections, read off where something is found.

pycocotools (`COCOeval.accumulate`) sorts and sums up all detections of a class anew for each area
range and limit. Precision is only ever read at detections that are right: between two of them it
falls. So it suffices to know, at these, how many before are wrong.
"""

import numpy as np

from vitdet.evaluation.coco_matching import (
    AREA_RANGES,
    IOU_THRESHOLDS,
    Matched,
    Matches,
    Regions,
    out_of_range,
)

LIMITS = (1, 10, 100)  # best-scored detections regarded in each image and class
RECALLS = np.linspace(0, 1, 101)


def precision_and_recall(
    detections: Matched, objects: Regions, num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """The arrays that pycocotools fills, to the bit; -1 where there is nothing to find.

    A group is image * num_classes + class; of the objects only groups, areas and crowds count.

    Returns precision (10, 101, K, 4) at the last limit and recall (10, K, 4, 3): thresholds,
    recalls, classes, area ranges, limits.
    """
    shape = (num_classes, len(AREA_RANGES))
    precision = -np.ones((len(IOU_THRESHOLDS), len(RECALLS), *shape))
    recall = -np.ones((len(IOU_THRESHOLDS), *shape, len(LIMITS)))
    matches = detections.matches
    counts = ~(out_of_range(objects.areas) | objects.is_crowd[:, None])  # (G, A)
    object_classes, classes = objects.groups % num_classes, detections.groups % num_classes
    order = np.lexsort((-detections.scores, classes))
    ends = np.searchsorted(classes[order], np.arange(num_classes), "right")
    for k, begin, end in zip(range(num_classes), [0, *ends[:-1]], ends, strict=True):
        wanted = counts[object_classes == k].sum(0)  # (A,)
        ranges = np.flatnonzero(wanted)
        rows = order[begin:end]
        listed = np.isin(rows, matches.rows)
        is_right, num_wrong = _right_and_wrong(rows, listed, detections.areas[rows], matches)
        for m, limit in enumerate(LIMITS):
            num_right = is_right[detections.ranks[rows[listed]] < limit].sum(0)[ranges]  # (A, T)
            recall[:, k, ranges, m] = (num_right / wanted[ranges, None]).T
        for a in ranges:
            for t in range(len(IOU_THRESHOLDS)):
                found = num_wrong[is_right[:, a, t], a, t]
                precision[t, :, k, a] = _sampled(found, wanted[a]) if len(found) else 0
    return precision, recall


def _right_and_wrong(
    rows: np.ndarray, listed: np.ndarray, areas: np.ndarray, matches: Matches
) -> tuple[np.ndarray, np.ndarray]:
    """Of those of a class's detections, best first, that `matches` lists.

    Returns (M, A, T) whether it is right, and how many until there, itself included, are wrong.
    """
    places = np.searchsorted(matches.rows, rows[listed])
    is_paired = matches.is_paired[places]
    is_right = is_paired & ~matches.is_ignored[places]
    counts = ~out_of_range(areas)  # one without an object is wrong if its own area is in range
    num_wrong = counts.cumsum(0)[listed][:, :, None]
    return is_right, num_wrong - (is_paired & counts[listed][:, :, None]).cumsum(0)


def _sampled(num_wrong: np.ndarray, num_wanted: int) -> np.ndarray:
    """(101,) best precision at each recall or a higher one; 0 where it is not reached.

    num_wrong: (F,) wrong detections before each right one, best first.
    """
    num_right = np.arange(1.0, len(num_wrong) + 1)
    precision = num_right / (num_wrong + num_right + np.spacing(1))
    highest = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(num_right / num_wanted, RECALLS)
    return np.append(highest, np.zeros(1))[np.minimum(places, len(highest))]
