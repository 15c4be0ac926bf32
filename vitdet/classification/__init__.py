"""Image classification: what backbones are pre-trained with."""

from vitdet.classification.distillation import Distillation
from vitdet.classification.image_classifier import ImageClassifier
from vitdet.classification.preprocessor import ImagePreprocessor

__all__ = ["Distillation", "ImageClassifier", "ImagePreprocessor"]
