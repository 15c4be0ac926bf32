"""A synthetic batch for a classifier of mmpretrain: mmdet trains backbones of its own with it."""

from typing import Any

import torch


def classification_batch(side: int) -> dict[str, Any]:
    """Two images of `side` pixels, of class 0 and 1."""
    from mmpretrain.structures import DataSample  # a package that only these configs need

    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, 3, side, side), generator=generator, dtype=torch.uint8)
    return {
        "inputs": list(images),
        "data_samples": [DataSample().set_gt_label(label) for label in range(len(images))],
    }
