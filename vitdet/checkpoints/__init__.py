"""Reading and writing checkpoints: weights and data, never code."""

from vitdet.checkpoints.loading import load_checkpoint
from vitdet.checkpoints.report import LoadReport

__all__ = ["LoadReport", "load_checkpoint"]
