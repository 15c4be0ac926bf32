"""The objects of one image as blocks of numbers, for data sets that stay in memory.

A box and a polygon of twelve points take 1.5 KB as Python's lists of floats and 300 bytes when
these are pickled; here they take 140.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

_KEYS = {"ignore_flag", "bbox", "bbox_label", "mask"}
_LARGEST_HUNDREDTHS = 2**31 - 1


def pack_instances(instances: Sequence[dict[str, Any]]) -> Any:
    """What `unpack_instances` makes equal dicts of; numbers that were whole are floats then.

    Masks that are run lengths, and whatever else is not boxes and lists of polygons, stay as they
    are.
    """
    if any(not one.keys() <= _KEYS for one in instances):
        return list(instances)
    masks = [one.get("mask") for one in instances]
    polygons = list(chain.from_iterable(mask for mask in masks if isinstance(mask, list)))
    try:
        boxes = _block([number for one in instances for number in one["bbox"]])
        coordinates = _block(list(chain.from_iterable(polygons)))
        shapes = [
            [len(polygon) for polygon in mask] if isinstance(mask, list) else mask for mask in masks
        ]
    except (TypeError, ValueError, OverflowError):
        return list(instances)
    labels = [one["bbox_label"] for one in instances]
    flags = [one["ignore_flag"] for one in instances]
    return labels, flags, boxes, shapes, coordinates


def unpack_instances(packed: Any) -> list[dict[str, Any]]:
    """The dicts that mmdet's transforms expect of each object."""
    if isinstance(packed, list):
        return packed
    labels, flags, boxes, shapes, coordinates = packed
    boxes, coordinates = _numbers(*boxes), _numbers(*coordinates)
    instances, start = [], 0
    for k, (label, flag, shape) in enumerate(zip(labels, flags, shapes, strict=True)):
        instance = {"ignore_flag": flag, "bbox": boxes[4 * k : 4 * k + 4], "bbox_label": label}
        if isinstance(shape, list):
            instance["mask"] = []
            for size in shape:
                instance["mask"].append(coordinates[start : start + size])
                start += size
        elif shape is not None:
            instance["mask"] = shape
        instances.append(instance)
    return instances


def _block(numbers: list[float]) -> tuple[bool, bytes]:
    """Whether they are hundredths, as in most files, then in half the bytes; and the bytes.

    Raises ValueError, or TypeError, where floats would not be equal to the numbers.
    """
    exact = np.array(numbers, dtype=np.float64)
    if exact.tolist() != numbers:
        raise ValueError("not all are finite numbers that a float holds")
    if (np.abs(exact) < _LARGEST_HUNDREDTHS / 100).all():
        hundredths = np.rint(exact * 100)
        if (hundredths / 100 == exact).all():
            return True, hundredths.astype(np.int32).tobytes()
    return False, exact.tobytes()


def _numbers(are_hundredths: bool, block: bytes) -> list[float]:
    if are_hundredths:
        return (np.frombuffer(block, dtype=np.int32) / 100).tolist()
    return np.frombuffer(block, dtype=np.float64).tolist()
