"""Predicted panoptic maps in COCO's result format: a json and PNGs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import find_objects

from vitdet.datasets.panoptic_files import VOID, write_segment_ids
from vitdet.evaluation.panoptic_quality import Segments
from vitdet.set_prediction.postprocess import INSTANCE_OFFSET


def segments_of_map(panoptic: np.ndarray, num_classes: int) -> Segments:
    """The segments of a map of class + 1000 * instance: (H, W), numbered from 1.

    Pixels of other classes than the K known are void.
    """
    values, places = np.unique(panoptic, return_inverse=True)
    labels = values % INSTANCE_OFFSET
    is_known = labels < num_classes
    numbers = np.where(is_known, is_known.cumsum(), VOID)
    ids = numbers[places.reshape(panoptic.shape)].astype(np.int32)
    return Segments(
        ids, dict(zip(numbers[is_known].tolist(), labels[is_known].tolist(), strict=True))
    )


def write_panoptic_png(
    path: Path, segments: Segments, *, image_id: Any, category_ids: Sequence[int]
) -> dict[str, Any]:
    """Write the ids as a PNG and return the image's entry of `annotations`.

    `category_ids` gives the id of each class.
    """
    write_segment_ids(path, segments.ids)
    areas = np.bincount(segments.ids.ravel(), minlength=len(segments.labels) + 1)
    infos = []
    for number, (rows, columns) in enumerate(find_objects(segments.ids), 1):
        infos.append(
            {
                "id": number,
                "category_id": category_ids[segments.labels[number]],
                "iscrowd": 0,
                "area": int(areas[number]),
                "bbox": [
                    columns.start,
                    rows.start,
                    columns.stop - columns.start,
                    rows.stop - rows.start,
                ],
            }
        )
    return {"image_id": image_id, "file_name": path.name, "segments_info": infos}
