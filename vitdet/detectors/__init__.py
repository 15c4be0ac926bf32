"""Detectors that mmdet does not have, in the form of mmdet's."""

from vitdet.detectors.detr import DETR
from vitdet.detectors.yolos import YOLOS

__all__ = ["DETR", "YOLOS"]
