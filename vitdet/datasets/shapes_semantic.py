"""The label files of the generated data set `shapes` as a data set for configs."""

import os

from vitdet.datasets.semantic_folder import SemanticFolder
from vitdet.datasets.shapes import ensure_shapes
from vitdet.registry import DATASETS


@DATASETS.register_module()
class ShapesSemantic(SemanticFolder):
    """A `SemanticFolder` whose files are generated when they are not there."""

    num_train = 1000

    @classmethod
    def prepare(cls, data_root: str | os.PathLike[str]) -> None:
        """Generate the data at `data_root`; `vitdet.engine.load_config` calls this."""
        ensure_shapes(data_root, num_train=cls.num_train)


@DATASETS.register_module()
class ManyShapesSemantic(ShapesSemantic):
    """With 8,000 images to train on, and the same held-out ones."""

    num_train = 8000
