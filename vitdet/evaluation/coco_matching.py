"""COCO's pairing of detections with objects, all images, classes and thresholds at once.

pycocotools (`COCOeval.evaluateImg`) pairs image by image, class by class, area range by area range
and threshold by threshold. Here only the pairs of one image and class that overlap by half are
looked at, and in round r the r-th detections of all images and classes that have such a pair find
their objects together. The results are the same, pair for pair.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
AREA_RANGES = np.array([[0, 1e5**2], [0, 32**2], [32**2, 96**2], [96**2, 1e5**2]])
MAX_DETECTIONS = 100  # of an image and class; the best-scored


@dataclass(frozen=True)
class Regions:
    """Objects or detections of all images, as columns of N.

    Attributes:
        groups: (N,) one number for each image and class, ascending with the image.
        areas: (N,) pixels.
        boxes: (N, 4) x, y, width, height; of detected boxes, or around the masks.
        codes: N run-length codes where masks are compared.
        scores: (N,) of detections.
        is_crowd: (N,) of objects.
    """

    groups: np.ndarray
    areas: np.ndarray
    boxes: np.ndarray
    codes: Sequence[dict[str, Any]] | None = None
    scores: np.ndarray | None = None
    is_crowd: np.ndarray | None = None

    def __getitem__(self, rows: np.ndarray) -> "Regions":
        return Regions(
            self.groups[rows],
            self.areas[rows],
            self.boxes[rows],
            None if self.codes is None else [self.codes[row] for row in rows.tolist()],
            None if self.scores is None else self.scores[rows],
            None if self.is_crowd is None else self.is_crowd[rows],
        )


@dataclass(frozen=True)
class Matches:
    """What became of detections; A area ranges, T thresholds.

    Attributes:
        rows: (M,) detections with an overlap that may count, ascending; no other is paired.
        is_paired: (M, A, T) whether it found an object.
        is_ignored: (M, A, T) whether that object counts for nothing: a crowd, or out of the range.
    """

    rows: np.ndarray
    is_paired: np.ndarray
    is_ignored: np.ndarray


@dataclass(frozen=True)
class Matched:
    """Detections of whole images, in the order of `best_first`, with what became of them.

    Attributes:
        groups, areas, scores: (N,) as those of `Regions`.
        ranks: (N,) in their groups.
        matches: their rows are these detections.
    """

    groups: np.ndarray
    areas: np.ndarray
    scores: np.ndarray
    ranks: np.ndarray
    matches: Matches

    def split(self, ends: np.ndarray) -> list["Matched"]:
        """Parts, the last detections of which lie before `ends`."""
        parts, matches = [], self.matches
        others = np.searchsorted(matches.rows, ends)
        for begin, end, first, last in zip(
            [0, *ends[:-1]], ends, [0, *others[:-1]], others, strict=True
        ):
            rows, which = slice(begin, end), slice(first, last)
            kept = Matches(
                matches.rows[which] - begin, matches.is_paired[which], matches.is_ignored[which]
            )
            columns = (self.groups, self.areas, self.scores, self.ranks)
            parts.append(Matched(*(column[rows] for column in columns), kept))
        return parts

    @classmethod
    def joined(cls, parts: Sequence["Matched"]) -> "Matched":
        """Of parts that are ordered by group."""
        starts = np.cumsum([0, *(len(part.groups) for part in parts)])
        rows = [part.matches.rows + start for part, start in zip(parts, starts, strict=False)]

        def column(name: str) -> np.ndarray:
            return np.concatenate([getattr(part, name) for part in parts])

        return cls(
            *(column(name) for name in ("groups", "areas", "scores", "ranks")),
            Matches(
                np.concatenate(rows),
                np.concatenate([part.matches.is_paired for part in parts]),
                np.concatenate([part.matches.is_ignored for part in parts]),
            ),
        )


def match_best(detections: Regions, objects: Regions) -> Matched:
    """Pair the best detections of each group with objects; both are in any order."""
    objects = objects[np.argsort(objects.groups, kind="stable")]
    detections, ranks = best_first(detections)
    columns = (detections.groups, detections.areas, detections.scores, ranks)
    return Matched(*columns, match(detections, objects))


def best_first(detections: Regions) -> tuple[Regions, np.ndarray]:
    """Detections by group and falling score, no more than 100 of a group, and (N,) their ranks."""
    order = np.lexsort((-detections.scores, detections.groups))
    groups = detections.groups[order]
    ranks = np.arange(len(groups)) - np.searchsorted(groups, groups)
    kept = ranks < MAX_DETECTIONS
    return detections[order[kept]], ranks[kept]


def out_of_range(areas: np.ndarray) -> np.ndarray:
    """areas: (N,), to (N, A) whether an area lies outside of each range."""
    return (areas[:, None] < AREA_RANGES[:, 0]) | (areas[:, None] > AREA_RANGES[:, 1])


def match(detections: Regions, objects: Regions) -> Matches:
    """Pair detections, in the order of `best_first`, with objects, ordered by group."""
    rows, others, overlaps = _overlapping(detections, objects)
    candidates, owners = np.unique(rows, return_inverse=True)
    groups = detections.groups[candidates]
    rounds = np.arange(len(candidates)) - np.searchsorted(groups, groups)
    is_ignored = out_of_range(objects.areas) | objects.is_crowd[:, None]
    shape = (len(AREA_RANGES), len(IOU_THRESHOLDS))
    is_taken = np.zeros((len(objects.groups), *shape), bool)
    found = Matches(
        candidates,
        np.zeros((len(candidates), *shape), bool),
        np.zeros((len(candidates), *shape), bool),
    )
    order = np.argsort(rounds[owners], kind="stable")
    ends = np.searchsorted(rounds[owners][order], np.arange(rounds.max(initial=-1) + 1), "right")
    for begin, end in pairwise([0, *ends]):
        pairs = order[begin:end]
        _match_round(
            *(owners[pairs], others[pairs], overlaps[pairs]),
            is_ignored=is_ignored,
            is_crowd=objects.is_crowd,
            is_taken=is_taken,
            found=found,
        )
    return found


def _match_round(
    owners: np.ndarray,
    others: np.ndarray,
    overlaps: np.ndarray,
    *,
    is_ignored: np.ndarray,
    is_crowd: np.ndarray,
    is_taken: np.ndarray,
    found: Matches,
) -> None:
    """Let each detection of a round take the object that it overlaps most, into `found`.

    One that counts comes before any that is ignored; of equals the last. Crowds are never taken.

    Args:
        owners, others, overlaps: (P,) detection, object and IoU of each pair, by detection.
    """
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    lengths = np.diff(np.append(starts, len(owners)))
    thresholds = np.minimum(IOU_THRESHOLDS, 1 - 1e-10)
    is_free = ~is_taken[others] | is_crowd[others, None, None]
    is_free &= (overlaps[:, None] >= thresholds)[:, None]
    ignored = is_ignored[others][:, :, None]
    best = np.full((len(starts), *is_free.shape[1:]), -1)
    places = np.arange(len(owners))[:, None, None]
    for is_wanted in (is_free & ignored, is_free & ~ignored):  # the latter have the last word
        values = np.where(is_wanted, overlaps[:, None, None], -1.0)
        highest = np.repeat(np.maximum.reduceat(values, starts), lengths, axis=0)
        last = np.maximum.reduceat(np.where(is_wanted & (values == highest), places, -1), starts)
        best = np.where(last >= 0, last, best)
    rows, ranges, columns = np.nonzero(best >= 0)
    chosen = others[best[rows, ranges, columns]]
    is_taken[chosen, ranges, columns] = True
    where = (owners[starts][rows], ranges, columns)
    found.is_paired[where] = True
    found.is_ignored[where] = is_ignored[chosen, ranges]


def _overlapping(
    detections: Regions, objects: Regions
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Detection, object and IoU of all pairs that overlap enough, by detection and object."""
    begin = np.searchsorted(objects.groups, detections.groups, "left")
    counts = np.searchsorted(objects.groups, detections.groups, "right") - begin
    rows = np.repeat(np.arange(len(counts)), counts)
    others = np.arange(len(rows)) + np.repeat(begin - np.cumsum(counts) + counts, counts)
    one, other = detections.boxes[rows], objects.boxes[others]
    sides = np.minimum(one[:, :2] + one[:, 2:], other[:, :2] + other[:, 2:])
    sides -= np.maximum(one[:, :2], other[:, :2])
    shared = sides[:, 0] * sides[:, 1]
    shared[(sides <= 0).any(1)] = 0
    is_crowd = objects.is_crowd[others]
    if objects.codes is None:
        area, other_area = one[:, 2] * one[:, 3], other[:, 2] * other[:, 3]
        united = np.where(is_crowd, area, area + other_area - shared)
        overlaps = np.divide(shared, united, out=np.zeros_like(shared), where=shared > 0)
    else:
        # Masks share no more pixels than the boxes around them.
        area, other_area = detections.areas[rows], mask_areas(objects.codes)[others]
        enough = IOU_THRESHOLDS[0] * np.where(is_crowd, area, np.maximum(area, other_area))
        overlaps = np.zeros(len(rows))
        near = np.flatnonzero((shared > 0) & (shared >= enough))
        overlaps[near] = _mask_overlaps(detections, objects, rows[near], others[near])
    kept = overlaps >= IOU_THRESHOLDS[0]
    return rows[kept], others[kept], overlaps[kept]


def _mask_overlaps(
    detections: Regions, objects: Regions, rows: np.ndarray, others: np.ndarray
) -> np.ndarray:
    """(P,) IoU of the masks of each pair; pairs are ordered by detection and object."""
    overlaps = np.empty(len(rows))
    if not len(rows):
        return overlaps
    groups = detections.groups[rows]
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    is_new = np.diff(rows, prepend=-1) != 0
    places = is_new.cumsum()
    firsts, lasts = (f.reduceat(others, starts) for f in (np.minimum, np.maximum))
    for begin, end, first, last in zip(
        starts.tolist(),
        [*starts[1:].tolist(), len(rows)],
        firsts.tolist(),
        lasts.tolist(),
        strict=True,
    ):  # a group's objects stand together
        ours = rows[begin:end][is_new[begin:end]]
        table = coco_mask.iou(
            [detections.codes[row] for row in ours.tolist()],
            list(objects.codes[first : last + 1]),
            objects.is_crowd[first : last + 1].astype(np.uint8),
        )
        overlaps[begin:end] = table[places[begin:end] - places[begin], others[begin:end] - first]
    return overlaps


def mask_areas(codes: Sequence[dict[str, Any]]) -> np.ndarray:
    """(N,) pixels of run-length codes, float64."""
    # pycocotools overflows when asked of more than 255 at once.
    parts = [coco_mask.area(codes[k : k + 255]) for k in range(0, len(codes), 255)]
    return np.concatenate([np.zeros(0), *parts])
