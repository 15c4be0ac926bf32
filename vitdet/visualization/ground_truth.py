"""Annotations drawn as predictions are, to set one beside the other."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from vitdet.datasets.images import read_image
from vitdet.evaluation.rle import decode_masks, segmentation_to_rle
from vitdet.visualization.draw import draw_instances


def draw_ground_truth(
    data_info: Mapping[str, Any], class_names: Sequence[str], *, scale: float = 1
) -> Image.Image:
    """Draw the annotations of one image of a `CocoDataset`, crowds left out.

    Args:
        data_info: what `dataset.get_data_info(i)` returns.
        class_names: `dataset.metainfo["classes"]`.
        scale: the picture's size over the image's.

    Raises UserError if the image cannot be read.
    """
    image = read_image(data_info["img_path"])
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
