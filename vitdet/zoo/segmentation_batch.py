"""A synthetic batch for a model of mmseg: images and maps of classes, edges or depth."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from vitdet.zoo.nodes import nodes_of

_IGNORED = 255


def segmentation_batch(config: Mapping[str, Any], side: int, *, training: bool) -> dict[str, Any]:
    """What a data loader of this config would hand over, with images of `side` pixels.

    Two samples to train on, one to predict for.
    """
    random = np.random.default_rng(0)
    num_classes = min(_class_counts(config["model"]), default=2)
    classes = torch.full((1, side, side), max(num_classes - 1, 0))
    classes[:, : side // 2] = 0
    classes[:, :, -side // 8 :] = _IGNORED
    edges = torch.zeros(1, side, side, dtype=torch.int64)
    edges[:, side // 2 - 1 : side // 2 + 1] = 1
    channels = max(map(len, _means(config)), default=3)
    images, samples = [], []
    for _ in range(2 if training else 1):
        pixels = random.integers(0, 256, (channels, side, side), dtype=np.uint8)
        images.append(torch.from_numpy(pixels))
        sample = SegDataSample(
            metainfo=dict(
                img_path="synthetic.png",
                img_shape=(side, side),
                ori_shape=(side, side),
                flip=False,
                flip_direction=None,
                category_id=0,
            )
        )
        sample.gt_sem_seg = PixelData(data=classes.clone())
        sample.gt_edge_map = PixelData(data=edges.clone())
        sample.gt_depth_map = PixelData(data=torch.rand(1, side, side) + 1)
        samples.append(sample)
    return {"inputs": images, "data_samples": samples}


def _means(config: Mapping[str, Any]) -> list[Sequence[float]]:
    """What is subtracted from each channel: two photos that are compared have six."""
    nodes = [config.get("data_preprocessor"), config["model"].get("data_preprocessor")]
    return [node["mean"] for node in nodes if node and node.get("mean")]


def _class_counts(model: Mapping[str, Any]) -> list[int]:
    """The number of classes of every head."""
    heads = {key: value for key, value in model.items() if key.endswith("head")}
    return [
        node["num_classes"] for node in nodes_of(heads) if isinstance(node.get("num_classes"), int)
    ]
