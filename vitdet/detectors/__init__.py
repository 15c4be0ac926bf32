"""Detectors that mmdet does not have, in the form of mmdet's, and heads that replace its own."""

from vitdet.detectors.cascade_roi_head import CascadeRoIHead
from vitdet.detectors.detr import DETR
from vitdet.detectors.fcn_mask_head import FCNMaskHead, HTCMaskHead
from vitdet.detectors.retina_head import RetinaHead
from vitdet.detectors.roi_head import RoIHead
from vitdet.detectors.rpn_head import RPNHead
from vitdet.detectors.yolos import YOLOS

__all__ = [
    "DETR",
    "YOLOS",
    "CascadeRoIHead",
    "FCNMaskHead",
    "HTCMaskHead",
    "RPNHead",
    "RetinaHead",
    "RoIHead",
]
