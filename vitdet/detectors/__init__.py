"""Detectors that mmdet does not have, in the form of mmdet's."""

from vitdet.detectors.detr import DETR

__all__ = ["DETR"]
