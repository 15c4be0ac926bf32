"""Detectors that mmdet does not have, in the form of mmdet's, and parts that replace its own."""

from vitdet.detectors.detr import DETR
from vitdet.detectors.fcn_mask_head import FCNMaskHead, HTCMaskHead
from vitdet.detectors.yolos import YOLOS

__all__ = ["DETR", "YOLOS", "FCNMaskHead", "HTCMaskHead"]
