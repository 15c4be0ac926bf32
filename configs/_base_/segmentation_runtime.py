"""What every run of a segmentor shares: mmseg's parts, and a log that counts steps, not epochs."""

from mmengine.config import read_base

with read_base():
    from .default_runtime import *

default_scope = "mmseg"
default_hooks["logger"].update(log_metric_by_epoch=False)
log_processor.update(by_epoch=False)
