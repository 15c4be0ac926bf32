"""Metrics: how good predictions are, in the numbers the field compares."""

from vitdet.evaluation.accuracy import Accuracy
from vitdet.evaluation.coco_metric import CocoMetric
from vitdet.evaluation.coco_panoptic_metric import CocoPanopticMetric
from vitdet.evaluation.coco_scores import CocoScores, IoUScores, evaluate_coco
from vitdet.evaluation.iou_metric import IoUMetric

__all__ = [
    "Accuracy",
    "CocoMetric",
    "CocoPanopticMetric",
    "CocoScores",
    "IoUMetric",
    "IoUScores",
    "evaluate_coco",
]
