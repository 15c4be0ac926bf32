"""Annotations drawn as predictions are, to set one beside the other."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from vitdet.datasets.images import image_of, read_image
from vitdet.datasets.panoptic_files import read_segment_ids
from vitdet.evaluation.rle import decode_masks, segmentation_to_rle
from vitdet.set_prediction.postprocess import INSTANCE_OFFSET
from vitdet.visualization.draw import draw_instances
from vitdet.visualization.panoptic import draw_panoptic


def draw_ground_truth(
    data_info: Mapping[str, Any], class_names: Sequence[str], *, scale: float = 1
) -> Image.Image:
    """Draw the annotations of one image of a `CocoDataset`, crowds left out, the segments of one
    of a `CocoPanopticDataset`, or the class of one of an `ImageFolder`.

    Args:
        data_info: what `dataset.get_data_info(i)` returns.
        class_names: `dataset.metainfo["classes"]`.
        scale: the picture's size over the image's.

    Raises UserError if the image cannot be read.
    """
    source = image_of(data_info)
    image = source if isinstance(source, np.ndarray) else read_image(source)
    if "gt_label" in data_info:
        box, labels = np.array([[0, 0, *image.shape[1::-1]]]), np.array([data_info["gt_label"]])
        return draw_instances(image, box, labels=labels, class_names=class_names, scale=scale)
    if "segments_info" in data_info:
        panoptic = _panoptic_map(data_info, num_classes=len(class_names))
        return draw_panoptic(image, panoptic, class_names=class_names, scale=scale)
    instances = [one for one in data_info["instances"] if not one["ignore_flag"]]
    masks = None
    if instances and all("mask" in one for one in instances):
        size = data_info["height"], data_info["width"]
        masks = decode_masks([segmentation_to_rle(one["mask"], *size) for one in instances], *size)
    return draw_instances(
        image,
        np.array([one["bbox"] for one in instances]),
        labels=np.array([one["bbox_label"] for one in instances], dtype=int),
        class_names=class_names,
        masks=masks,
        scale=scale,
    )


def _panoptic_map(data_info: Mapping[str, Any], *, num_classes: int) -> np.ndarray:
    """The segments as class + 1000 * instance, (H, W); `num_classes` where there is none."""
    ids = read_segment_ids(data_info["seg_map_path"])
    panoptic = np.full(ids.shape, num_classes)
    for number, segment in enumerate(data_info["segments_info"], 1):
        instance = number * INSTANCE_OFFSET if segment["is_thing"] else 0
        panoptic[ids == segment["id"]] = segment["category"] + instance
    return panoptic
