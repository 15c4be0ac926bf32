"""The generated data set `shapes` as a data set for configs."""

import os

from vitdet.datasets.coco import CocoDataset
from vitdet.datasets.shapes import ensure_shapes
from vitdet.registry import DATASETS


@DATASETS.register_module()
class ShapesDataset(CocoDataset):
    """A `CocoDataset` whose files are generated when they are not there."""

    @staticmethod
    def prepare(data_root: str | os.PathLike[str]) -> None:
        """Generate the data at `data_root`; `vitdet.engine.load_config` calls this."""
        ensure_shapes(data_root)
