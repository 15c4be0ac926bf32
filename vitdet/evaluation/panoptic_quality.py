"""Panoptic quality (Kirillov et al. 2019, arXiv:1801.00868, sec. 4), by the rules of COCO."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np


class Segments(NamedTuple):
    """The segments of one image; pixels of ids that are not listed are void.

    Attributes:
        ids: (H, W) integers.
        labels: class of each segment by its id.
        crowds: ids of segments that stand for any number of objects.
    """

    ids: np.ndarray
    labels: dict[int, int]
    crowds: frozenset[int] = frozenset()


@dataclass
class SegmentMatches:
    """What became of the segments of an image: small, exact, and added up in any order.

    Attributes:
        matched: (label, intersection, union) of each pair, in pixels.
        missed: label of each true segment that was not found.
        spurious: label of each predicted segment that is none.
    """

    matched: list[tuple[int, int, int]] = field(default_factory=list)
    missed: list[int] = field(default_factory=list)
    spurious: list[int] = field(default_factory=list)


def match_segments(found: Segments, truth: Segments) -> SegmentMatches:
    """Pair the segments of an image that share a class and have an IoU above 0.5.

    No segment has two such partners, as segments do not overlap (sec. 4.1). Of a predicted
    segment, pixels that are void in the truth do not count in the union; one that has no partner is
    no mistake if more than half of it is void or crowd of its own class. True crowds are neither
    matched nor missed (sec. 4.2, and COCO's evaluation code, whose areas are those of the
    annotation; here pixels are counted). What `found` lists but has no pixel of is not there.
    """
    table = _common_pixels(truth.ids, list(truth.labels), found.ids, list(found.labels))
    found_areas, true_areas = table.sum(0), table.sum(1)
    # Place 0, here and in the table, stands for void.
    found_labels = np.array([-1, *found.labels.values()])
    true_labels = np.array([-1, *truth.labels.values()])
    is_crowd = np.array([False, *(number in truth.crowds for number in truth.labels)])

    unions = true_areas[:, None] + (found_areas - table[0])[None] - table
    is_pair = 2 * table > unions
    is_pair &= (true_labels[:, None] == found_labels) & ~is_crowd[:, None]
    is_pair[0] = is_pair[:, 0] = False
    matches = SegmentMatches()
    for true, other in np.argwhere(is_pair).tolist():
        matches.matched.append(
            (int(true_labels[true]), int(table[true, other]), int(unions[true, other]))
        )
    is_missed = ~is_pair.any(1) & ~is_crowd
    matches.missed = true_labels[1:][is_missed[1:]].tolist()
    is_own_crowd = is_crowd[:, None] & (true_labels[:, None] == found_labels)
    ignored = table[0] + (table * is_own_crowd).sum(0)
    is_spurious = ~is_pair.any(0) & (found_areas > 0) & (2 * ignored <= found_areas)
    matches.spurious = found_labels[1:][is_spurious[1:]].tolist()
    return matches


def _common_pixels(
    rows: np.ndarray, row_ids: Sequence[int], columns: np.ndarray, column_ids: Sequence[int]
) -> np.ndarray:
    """Pixels that each pair of segments shares, (1 + R, 1 + C) int64; place 0 is of all others."""
    places = _places(rows, row_ids) * (len(column_ids) + 1) + _places(columns, column_ids)
    counts = np.bincount(places.ravel(), minlength=(len(row_ids) + 1) * (len(column_ids) + 1))
    return counts.reshape(len(row_ids) + 1, len(column_ids) + 1)


def _places(ids: np.ndarray, listed: Sequence[int]) -> np.ndarray:
    """Where in `listed`, counted from 1, each id stands; 0 for those that do not."""
    order = np.argsort(listed)
    ordered = np.array(listed, dtype=np.int64)[order]
    if not len(ordered):
        return np.zeros(ids.shape, np.int64)
    nearest = np.searchsorted(ordered, ids).clip(max=len(ordered) - 1)
    return np.where(ordered[nearest] == ids, order[nearest] + 1, 0)


class PanopticQuality(NamedTuple):
    """PQ, SQ and RQ, 0 to 1, of one class or averaged over `num_classes` of them.

    NaN where there is no class that was annotated or predicted.
    """

    pq: float
    sq: float
    rq: float
    num_classes: int


@dataclass(frozen=True)
class ClassQuality:
    """What panoptic quality is made of, for one class."""

    ious: float
    num_matched: int
    num_missed: int
    num_spurious: int

    @property
    def quality(self) -> PanopticQuality:
        """Equation 1; a class that is nowhere has none."""
        weight = self.num_matched + (self.num_missed + self.num_spurious) / 2
        if weight == 0:
            return PanopticQuality(math.nan, math.nan, math.nan, 0)
        sq = self.ious / self.num_matched if self.num_matched else 0.0
        return PanopticQuality(self.ious / weight, sq, self.num_matched / weight, 1)


def class_qualities(matches: Iterable[SegmentMatches], num_classes: int) -> list[ClassQuality]:
    """Add up what became of the segments of all images, for each class.

    The sum of IoUs is the exact one, rounded once: it is the same in every order.
    """
    ious: list[list[float]] = [[] for _ in range(num_classes)]
    missed, spurious = [0] * num_classes, [0] * num_classes
    for one in matches:
        for label, intersection, union in one.matched:
            ious[label].append(intersection / union)
        for label in one.missed:
            missed[label] += 1
        for label in one.spurious:
            spurious[label] += 1
    return [
        ClassQuality(math.fsum(values), len(values), *counts)
        for values, *counts in zip(ious, missed, spurious, strict=True)
    ]


def mean_quality(classes: Iterable[ClassQuality]) -> PanopticQuality:
    """The mean over classes, those left out that were neither annotated nor predicted."""
    there = [one.quality for one in classes if one.quality.num_classes]
    if not there:
        return PanopticQuality(math.nan, math.nan, math.nan, 0)
    means = (math.fsum(values) / len(there) for values in list(zip(*there, strict=True))[:3])
    return PanopticQuality(*means, num_classes=len(there))
