"""COCO's run-length codes read as numbers, all of a split at once and without trusting them.

pycocotools decodes what it is given: wrong lengths or a height of zero end the process.
"""

from collections.abc import Sequence

import numpy as np

_FIRST = 48  # "0": six bits are written as the characters from here on
_LAST = _FIRST + 63


def decode_counts(codes: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Runs of compressed codes.

    A number is written in groups of five bits, lowest first, with a sixth bit where more follow and
    the sign in the fifth of the last; from the fourth number on the difference to the number two
    places before is written (`rleToString` of the COCO API).

    Returns (R,) runs of all codes, (N + 1,) where each code's runs begin, (N,) whether it is one.
    """
    text = np.frombuffer(b"".join(codes), dtype=np.uint8).astype(np.int64)
    owner = np.repeat(np.arange(len(codes)), [len(code) for code in codes])
    is_valid = np.array([len(code) > 0 for code in codes], dtype=bool)
    is_valid[owner[(text < _FIRST) | (text > _LAST)]] = False
    ends = np.flatnonzero(np.array([len(code) for code in codes]))
    last = np.cumsum([len(code) for code in codes])[ends] - 1
    bits = text - _FIRST
    is_valid[owner[last[(bits[last] & 32) != 0]]] = False  # cut off in a number

    keep = is_valid[owner]
    bits, owner = bits[keep], owner[keep]
    is_last = (bits & 32) == 0
    starts = np.flatnonzero(np.concatenate([[True], is_last[:-1]])) if len(bits) else bits
    number = np.cumsum(np.concatenate([[0], is_last[:-1]])) if len(bits) else bits
    place = np.arange(len(bits)) - starts[number]
    is_valid[owner[place > 8]] = False  # beyond 45 bits: no image is that large
    shift = 5 * np.minimum(place, 8)
    values = np.zeros(len(starts), dtype=np.int64)
    np.add.at(values, number, (bits & 31) << shift)
    negative = is_last & ((bits & 16) != 0)
    values[number[negative]] -= np.int64(1) << (shift[negative] + 5)

    num_runs = np.bincount(owner[starts], minlength=len(codes))
    offsets = np.concatenate([[0], np.cumsum(num_runs)])
    return _sum_differences(values, offsets), offsets, is_valid


def _sum_differences(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Run k of a code is the sum of its numbers k, k - 2, ... down to 1 or 2; run 0 is its own."""
    lengths = np.diff(offsets)
    place = np.arange(len(values)) - np.repeat(offsets[:-1], lengths)
    runs = values.copy()
    for parity in (0, 1):
        rows = np.flatnonzero((place % 2 == parity) & (place > 0))
        if not len(rows):
            continue
        total = np.cumsum(values[rows])
        is_first = place[rows] <= 2
        before = (total - values[rows])[is_first]
        runs[rows] = total - before[np.cumsum(is_first) - 1]
    return runs


def boxes_and_areas(
    runs: np.ndarray, offsets: np.ndarray, heights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Box and area of each mask.

    Args:
        runs: (R,) lengths of background and foreground by turns, down the columns; not negative.
        offsets: (N + 1,) where each mask's runs begin.
        heights: (N,) of the masks, at least 1.

    Returns (N, 4) x, y, width, height, and (N,) pixels; NaN and 0 where there is no foreground.
    """
    lengths = np.diff(offsets)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    ends = np.cumsum(runs)
    first = np.repeat((ends - runs)[np.minimum(offsets[:-1], len(runs) - 1)], lengths)
    place = np.arange(len(runs)) - np.repeat(offsets[:-1], lengths)
    front = (place % 2 == 1) & (runs > 0)
    owner, begin, end = owner[front], (ends - runs - first)[front], (ends - first)[front] - 1
    height = heights[owner]
    left, right = begin // height, end // height
    top = np.where(left == right, begin % height, 0)
    bottom = np.where(left == right, end % height, height - 1)
    low = np.full((len(lengths), 2), np.inf)
    high = np.full((len(lengths), 2), -np.inf)
    np.minimum.at(low, owner, np.stack([left, top], axis=1))
    np.maximum.at(high, owner, np.stack([right, bottom], axis=1) + 1)
    boxes = np.concatenate([low, high - low], axis=1)
    boxes[~np.isfinite(boxes).all(axis=1)] = np.nan
    areas = np.bincount(owner, runs[front], minlength=len(lengths))
    return boxes, areas
