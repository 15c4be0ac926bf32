"""The generated data set `shapes` as a data set for configs."""

import os

from vitdet.datasets.coco import CocoDataset
from vitdet.datasets.shapes import ensure_shapes
from vitdet.registry import DATASETS


@DATASETS.register_module()
class ShapesDataset(CocoDataset):
    """A `CocoDataset` whose files are generated when they are not there."""

    num_train = 1000

    @classmethod
    def prepare(cls, data_root: str | os.PathLike[str]) -> None:
        """Generate the data at `data_root`; `vitdet.engine.load_config` calls this."""
        ensure_shapes(data_root, num_train=cls.num_train)


@DATASETS.register_module()
class ManyShapesDataset(ShapesDataset):
    """With 8,000 images to train on, and the same held-out ones: for what learns from scratch
    slowly and would learn 1,000 by heart."""

    num_train = 8000
