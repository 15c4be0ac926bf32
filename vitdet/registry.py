"""Child registries of mmengine's, scope "vitdet", for whoever writes text configs.

`type="vitdet.SwinTransformer"` in a config makes mmengine import this file, and `locations` tells
it which package to import to find the class; `import vitdet` itself loads none of them.
"""

from mmengine.registry import DATASETS as _DATASETS
from mmengine.registry import HOOKS as _HOOKS
from mmengine.registry import METRICS as _METRICS
from mmengine.registry import MODELS as _MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as _OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.registry import TRANSFORMS as _TRANSFORMS
from mmengine.registry import WEIGHT_INITIALIZERS as _WEIGHT_INITIALIZERS
from mmengine.registry import Registry

MODELS = Registry(
    "model",
    parent=_MODELS,
    scope="vitdet",
    locations=[
        "vitdet.backbones",
        "vitdet.necks",
        "vitdet.detectors",
        "vitdet.segmentors",
        "vitdet.classification",
    ],
)
WEIGHT_INITIALIZERS = Registry(
    "weight initializer",
    parent=_WEIGHT_INITIALIZERS,
    scope="vitdet",
    locations=["vitdet.checkpoints.pretrained"],
)
DATASETS = Registry(
    "dataset",
    parent=_DATASETS,
    scope="vitdet",
    locations=[
        "vitdet.datasets.coco",
        "vitdet.datasets.coco_panoptic",
        "vitdet.datasets.image_folder",
        "vitdet.datasets.semantic_folder",
        "vitdet.datasets.shape_images",
        "vitdet.datasets.shapes_dataset",
        "vitdet.datasets.shapes_panoptic",
        "vitdet.datasets.shapes_semantic",
        "vitdet.datasets.torchvision_images",
    ],
)
METRICS = Registry(
    "metric",
    parent=_METRICS,
    scope="vitdet",
    locations=[
        "vitdet.evaluation.accuracy",
        "vitdet.evaluation.coco_metric",
        "vitdet.evaluation.coco_panoptic_metric",
        "vitdet.evaluation.iou_metric",
    ],
)
TRANSFORMS = Registry(
    "transform",
    parent=_TRANSFORMS,
    scope="vitdet",
    locations=[
        "vitdet.datasets.coco_panoptic",
        "vitdet.datasets.detection_transforms",
        "vitdet.datasets.image_transforms",
        "vitdet.datasets.label_files",
    ],
)
HOOKS = Registry("hook", parent=_HOOKS, scope="vitdet", locations=["vitdet.engine.checkpoint_hook"])
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    "optimizer wrapper constructor",
    parent=_OPTIM_WRAPPER_CONSTRUCTORS,
    scope="vitdet",
    locations=["vitdet.engine.layer_decay"],
)
