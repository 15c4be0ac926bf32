"""Labels turned as an image is when its EXIF orientation is followed."""

from typing import Any

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
    turned = dict(annotation)
    box = annotation.get("bbox")
    if isinstance(box, list) and len(box) == 4 and all(isinstance(v, int | float) for v in box):
        x, y, width, height = box
        corners = turned_points(np.array([[x, y], [x + width, y + height]]), size, orientation)
        low, high = corners.min(axis=0), corners.max(axis=0)
        turned["bbox"] = [*low.tolist(), *(high - low).tolist()]
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, list) and segmentation:
        turned["segmentation"] = [
            turned_points(np.array(part).reshape(-1, 2), size, orientation).ravel().tolist()
            for part in polygons_of(segmentation)[0]
            if is_sound(part)
        ]
    elif isinstance(segmentation, dict) and segmentation:
        mask = coco_mask.decode(segmentation_to_rle(segmentation, size[1], size[0]))
        turned["segmentation"] = encode_masks(turned_mask(mask, orientation)[None])[0]
    return turned


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
