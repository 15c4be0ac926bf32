"""Metrics: how good predictions are, in the numbers the field compares."""

from vitdet.lazy_names import lazy_names

_HOMES = {
    "Accuracy": "accuracy",
    "CocoMetric": "coco_metric",
    "CocoPanopticMetric": "coco_panoptic_metric",
    "CocoScores": "coco_scores",
    "IoUMetric": "iou_metric",
    "IoUScores": "coco_scores",
    "evaluate_coco": "coco_scores",
}
__all__ = list(_HOMES)

__getattr__ = lazy_names(__name__, _HOMES)
