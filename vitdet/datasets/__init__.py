"""Reading, checking and converting data."""

from vitdet.datasets.coco import CocoDataset
from vitdet.datasets.shapes_dataset import ShapesDataset

__all__ = ["CocoDataset", "ShapesDataset"]
