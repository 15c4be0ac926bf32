"""Detection as set prediction: what DETR and YOLOS share after their last layer.

Letters in shapes: B batch, Q queries, T targets, K classes, M matched pairs.
"""

from vitdet.set_prediction.criterion import SetCriterion
from vitdet.set_prediction.matcher import HungarianMatcher, Matches
from vitdet.set_prediction.targets import Targets, pad_targets, targets_of

__all__ = ["HungarianMatcher", "Matches", "SetCriterion", "Targets", "pad_targets", "targets_of"]
