"""Reading, checking and converting data."""

from vitdet.datasets.coco import CocoDataset
from vitdet.datasets.image_folder import ImageFolder
from vitdet.datasets.image_transforms import LoadImage, PackImage, ToPIL
from vitdet.datasets.shape_images import ShapeImages
from vitdet.datasets.shapes_dataset import ManyShapesDataset, ShapesDataset
from vitdet.datasets.torchvision_images import TorchvisionImages

__all__ = [
    "CocoDataset",
    "ImageFolder",
    "LoadImage",
    "ManyShapesDataset",
    "PackImage",
    "ShapeImages",
    "ShapesDataset",
    "ToPIL",
    "TorchvisionImages",
]
