"""Load and complete a config; train and test it."""

from vitdet.engine.config import load_config
from vitdet.engine.launch import test, train
from vitdet.engine.runner import Runner

__all__ = ["Runner", "load_config", "test", "train"]
