"""The masks of a split as numpy columns: their form, boxes, areas and faults."""

from array import array
from collections import defaultdict
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import numpy as np

from vitdet.data_check.polygons import has_area, polygons_of
from vitdet.datasets.run_lengths import boxes_and_areas, decode_counts

_CHUNK = 50_000  # annotations whose points are held at a time
_MAX_SIDE = 100_000  # of a run-length coded mask


class MaskForm(IntEnum):
    """What stands under `segmentation`."""

    NONE = 0
    POLYGONS = 1
    RUNS = 2
    UNKNOWN = 3


class MaskColumns:
    """Masks of A annotations; those of several polygons are their union.

    Attributes:
        form: (A,) `MaskForm`.
        is_other_layout: (A,) bool: polygons as point pairs, or a flat list of numbers.
        box: (A, 4) x, y, width, height around the sound parts, NaN where there are none.
        area: (A,) pixels of the sound parts; polygons that overlap count twice.
        size: (A, 2) width and height that run lengths are written for, else NaN.
        faults: rows of annotations by kind of `faults.FAULTS`.
    """

    def __init__(self, segmentations: Sequence[Any]) -> None:
        num = len(segmentations)
        self.form = np.zeros(num, dtype=np.int8)
        self.is_other_layout = np.zeros(num, dtype=bool)
        self.box = np.full((num, 4), np.nan)
        self.area = np.full(num, np.nan)
        self.size = np.full((num, 2), np.nan)
        self.faults: dict[str, list[int]] = defaultdict(list)
        for start in range(0, num, _CHUNK):
            self._read(range(start, min(start + _CHUNK, num)), segmentations)

    def _read(self, rows: range, segmentations: Sequence[Any]) -> None:
        points, lengths, owners = array("d"), [], []
        coded = []
        for row in rows:
            segmentation = segmentations[row]
            if segmentation is None or segmentation in ([], {}, ""):
                continue
            if isinstance(segmentation, dict):
                self.form[row] = MaskForm.RUNS
                coded.append(row)
            elif isinstance(segmentation, list):
                self.form[row] = MaskForm.POLYGONS
                parts, self.is_other_layout[row] = polygons_of(segmentation)
                for part in parts:
                    before = len(points)
                    try:
                        points.extend(part)
                    except (TypeError, OverflowError):
                        del points[before:]
                        self.faults["polygon of no numbers"].append(row)
                        continue
                    lengths.append(len(points) - before)
                    owners.append(row)
            else:
                self.form[row] = MaskForm.UNKNOWN
                self.faults["mask in no known form"].append(row)
        if owners:
            self._measure_polygons(np.array(points), np.array(lengths), np.array(owners))
        self._read_runs(coded, segmentations)

    def _measure_polygons(
        self, values: np.ndarray, lengths: np.ndarray, owners: np.ndarray
    ) -> None:
        """values: (V,) numbers of P polygons, one behind the other; lengths, owners: (P,)."""
        polygon = np.repeat(np.arange(len(lengths)), lengths)
        num_bad = np.bincount(polygon[~np.isfinite(values)], minlength=len(lengths))
        is_odd, is_short, is_bad = lengths % 2 == 1, lengths < 6, num_bad > 0
        self._add("polygon of an odd number of coordinates", owners[is_odd])
        self._add("polygon of fewer than three points", owners[is_short & ~is_odd])
        self._add("polygon with NaN or infinity", owners[is_bad & ~is_odd & ~is_short])
        is_fine = ~(is_odd | is_short | is_bad)
        if not is_fine.any():
            return
        points = values[is_fine[polygon]].reshape(-1, 2)
        owners, counts = owners[is_fine], lengths[is_fine] // 2
        starts = np.cumsum(counts) - counts
        low = np.minimum.reduceat(points, starts)
        high = np.maximum.reduceat(points, starts)
        following = np.arange(1, len(points) + 1)
        following[starts + counts - 1] = starts
        points -= np.repeat(low, counts, axis=0)  # shoelace of small numbers is exact enough
        x, y = points.T
        area = np.abs(np.add.reduceat(x * y[following] - x[following] * y, starts)) / 2
        has = has_area(area, high - low)
        self._add("polygon without area", owners[~has])
        self._join(owners[has], low[has], high[has], area[has])

    def _join(
        self, owners: np.ndarray, low: np.ndarray, high: np.ndarray, area: np.ndarray
    ) -> None:
        """Unite the polygons of each annotation: low, high: (P, 2), area: (P,)."""
        rows, place = np.unique(owners, return_inverse=True)
        lowest = np.full((len(rows), 2), np.inf)
        highest = np.full((len(rows), 2), -np.inf)
        np.minimum.at(lowest, place, low)
        np.maximum.at(highest, place, high)
        self.box[rows] = np.concatenate([lowest, highest - lowest], axis=1)
        self.area[rows] = np.bincount(place, area)

    def _read_runs(self, rows: Sequence[int], segmentations: Sequence[Any]) -> None:
        plain, compressed = [], []
        for row in rows:
            size, counts = segmentations[row].get("size"), segmentations[row].get("counts")
            if not _is_size(size):
                self.faults["run lengths that cannot be read"].append(row)
                continue
            self.size[row] = size[1], size[0]
            if isinstance(counts, str | bytes) and counts:
                code = counts.encode("utf-8", "replace") if isinstance(counts, str) else counts
                compressed.append((row, code))
            elif isinstance(counts, list) and counts and all(type(run) is int for run in counts):
                plain.append((row, counts))
            else:
                self.faults["run lengths that cannot be read"].append(row)
        if plain:
            owners, runs = zip(*plain, strict=True)
            offsets = np.cumsum([0, *map(len, runs)])
            flat = np.array([min(max(run, -1), 2**40) for counts in runs for run in counts])
            self._measure_runs(np.array(owners), flat, offsets)
        if compressed:
            owners, codes = zip(*compressed, strict=True)
            runs, offsets, is_valid = decode_counts(codes)
            self._add("run lengths that cannot be read", np.array(owners)[~is_valid])
            kept = np.concatenate([[0], np.cumsum(np.diff(offsets)[is_valid])])
            self._measure_runs(np.array(owners)[is_valid], runs, kept)

    def _measure_runs(self, owners: np.ndarray, runs: np.ndarray, offsets: np.ndarray) -> None:
        """Judge the run lengths of the annotations owners: (N,), see `boxes_and_areas`."""
        if not len(owners):
            return
        lengths = np.diff(offsets)
        total = np.add.reduceat(runs, offsets[:-1])
        is_negative = np.minimum.reduceat(runs, offsets[:-1]) < 0
        is_filling = total == self.size[owners].prod(axis=1)
        self._add("negative run length", owners[is_negative])
        self._add("run lengths that do not fill the image", owners[~is_negative & ~is_filling])
        is_fine = ~is_negative & is_filling
        if not is_fine.any():
            return
        kept = np.concatenate([[0], np.cumsum(lengths[is_fine])])
        runs, owners = runs[np.repeat(is_fine, lengths)], owners[is_fine]
        box, area = boxes_and_areas(runs, kept, self.size[owners, 1].astype(int))
        self._add("run lengths without a pixel", owners[area == 0])
        self.box[owners] = box
        self.area[owners] = np.where(area > 0, area, np.nan)

    def _add(self, kind: str, rows: np.ndarray) -> None:
        if len(rows):
            self.faults[kind].extend(rows.tolist())


def _is_size(size: Any) -> bool:
    return (
        isinstance(size, list | tuple)
        and len(size) == 2
        and all(type(side) is int and 1 <= side <= _MAX_SIDE for side in size)
    )
