"""Annotations drawn as predictions are, to set one beside the other."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from vitdet.datasets.images import image_of, read_image
from vitdet.evaluation.rle import decode_masks, segmentation_to_rle
from vitdet.visualization.draw import draw_instances


def draw_ground_truth(
    data_info: Mapping[str, Any], class_names: Sequence[str], *, scale: float = 1
) -> Image.Image:
    """Draw the annotations of one image of a `CocoDataset`, crowds left out, or the class of one
    of an `ImageFolder`.

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
