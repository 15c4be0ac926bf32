"""Reading, checking and converting data."""

from vitdet.lazy_names import lazy_names

_HOMES = {
    "CocoDataset": "coco",
    "CocoPanopticDataset": "coco_panoptic",
    "ImageFolder": "image_folder",
    "LoadAnnotations": "detection_transforms",
    "LoadImage": "image_transforms",
    "LoadLabels": "label_files",
    "LoadPanopticSegments": "coco_panoptic",
    "ManyShapesDataset": "shapes_dataset",
    "ManyShapesSemantic": "shapes_semantic",
    "PackDetInputs": "detection_transforms",
    "PackImage": "image_transforms",
    "RandomFlip": "detection_transforms",
    "SemanticFolder": "semantic_folder",
    "ShapeImages": "shape_images",
    "ShapesDataset": "shapes_dataset",
    "ShapesPanoptic": "shapes_panoptic",
    "ShapesSemantic": "shapes_semantic",
    "ToPIL": "image_transforms",
    "TorchvisionImages": "torchvision_images",
}
__all__ = list(_HOMES)

__getattr__ = lazy_names(__name__, _HOMES)
