"""Test-time augmentation: several views of an image, one merged result."""

from vitdet.tta.detector import AugmentedDetector
from vitdet.tta.segmentor import AugmentedSegmentor

__all__ = ["AugmentedDetector", "AugmentedSegmentor"]
