"""A trained model in, results out: with torch, or with onnxruntime alone."""

from vitdet.inference.prediction import Prediction
from vitdet.inference.predictor import Predictor

__all__ = ["Prediction", "Predictor"]
