"""Training a classifier on ImageNet-1K with DeiT's recipe; a config adds the backbone."""

from mmengine.config import read_base

with read_base():
    from .datasets.imagenet import *
    from .default_runtime import *
    from .models.image_classifier import *
    from .schedules.adamw_300e import *
