"""Reading, checking and converting data."""

from vitdet.datasets.coco import CocoDataset
from vitdet.datasets.coco_panoptic import CocoPanopticDataset, LoadPanopticSegments
from vitdet.datasets.image_folder import ImageFolder
from vitdet.datasets.image_transforms import LoadImage, PackImage, ToPIL
from vitdet.datasets.label_files import LoadLabels
from vitdet.datasets.semantic_folder import SemanticFolder
from vitdet.datasets.shape_images import ShapeImages
from vitdet.datasets.shapes_dataset import ManyShapesDataset, ShapesDataset
from vitdet.datasets.shapes_semantic import ManyShapesSemantic, ShapesSemantic
from vitdet.datasets.torchvision_images import TorchvisionImages

__all__ = [
    "CocoDataset",
    "CocoPanopticDataset",
    "ImageFolder",
    "LoadImage",
    "LoadLabels",
    "LoadPanopticSegments",
    "ManyShapesDataset",
    "ManyShapesSemantic",
    "PackImage",
    "SemanticFolder",
    "ShapeImages",
    "ShapesDataset",
    "ShapesSemantic",
    "ToPIL",
    "TorchvisionImages",
]
