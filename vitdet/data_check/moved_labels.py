"""Labels brought into another frame of their image: turned as EXIF says, or resized."""

from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from vitdet.data_check.polygons import is_sound, polygons_of
from vitdet.evaluation.rle import encode_masks, segmentation_to_rle


def turned_annotation(
    annotation: dict[str, Any], size: tuple[int, int], orientation: int
) -> dict[str, Any]:
    """A copy for the upright image; what cannot be read stays as it is.

    Args:
        annotation: in the frame of the image as it is stored.
        size: its width and height as stored.
        orientation: EXIF's number, 5 to 8.
    """
    return _moved(
        annotation,
        size,
        partial(turned_points, size=size, orientation=orientation),
        partial(turned_mask, orientation=orientation),
    )


def resized_annotation(
    annotation: dict[str, Any], size: tuple[int, int], new_size: tuple[int, int]
) -> dict[str, Any]:
    """A copy for the image in another size; what cannot be read stays as it is.

    Args:
        annotation: in the frame of an image of `size`, width and height.
        new_size: width and height of the image that it is wanted for.
    """
    scale = np.divide(new_size, size)
    resized = _moved(
        annotation,
        size,
        lambda points: points * scale,
        lambda mask: cv2.resize(mask, new_size, interpolation=cv2.INTER_NEAREST_EXACT),
    )
    if isinstance(annotation.get("area"), int | float):
        resized["area"] = annotation["area"] * float(scale.prod())
    return resized


def _moved(
    annotation: dict[str, Any],
    size: tuple[int, int],
    move_points: Callable[[np.ndarray], np.ndarray],
    move_mask: Callable[[np.ndarray], np.ndarray],
) -> dict[str, Any]:
    """`move_points` takes (N, 2) x and y, `move_mask` an (H, W) uint8 mask of `size`."""
    moved = dict(annotation)
    box = annotation.get("bbox")
    if isinstance(box, list) and len(box) == 4 and all(isinstance(v, int | float) for v in box):
        x, y, width, height = box
        corners = move_points(np.array([[x, y], [x + width, y + height]]))
        low, high = corners.min(axis=0), corners.max(axis=0)
        moved["bbox"] = [*low.tolist(), *(high - low).tolist()]
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, list) and segmentation:
        moved["segmentation"] = [
            move_points(np.array(part).reshape(-1, 2)).ravel().tolist()
            for part in polygons_of(segmentation)[0]
            if is_sound(part)
        ]
    elif isinstance(segmentation, dict) and segmentation:
        mask = coco_mask.decode(segmentation_to_rle(segmentation, size[1], size[0]))
        moved["segmentation"] = encode_masks(move_mask(mask)[None])[0]
    return moved


def turned_points(points: np.ndarray, size: tuple[int, int], orientation: int) -> np.ndarray:
    """points: (N, 2) x and y in the stored image, as they lie in the upright one."""
    x, y = points[:, 0], points[:, 1]
    width, height = size
    to_upright = {5: (y, x), 6: (height - y, x), 7: (height - y, width - x), 8: (y, width - x)}
    return np.stack(to_upright[orientation], axis=1)


def turned_mask(mask: np.ndarray, orientation: int) -> np.ndarray:
    """mask: (H, W) of the stored image, as the (W, H) one of the upright image."""
    upright = mask.T
    if orientation in (6, 7):
        upright = upright[:, ::-1]
    if orientation in (7, 8):
        upright = upright[::-1]
    return np.ascontiguousarray(upright)
