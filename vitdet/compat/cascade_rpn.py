"""Builds Cascade RPN where it stands alone.

Breaks: in mmdet 3.3 `CascadeRPNHead` wants `num_classes`, which may only be 1; two-stage detectors
fill it in, `RPN` does not, so mmdet's own config of it does not build. Delete when the argument has
a default.
"""

import functools
from types import ModuleType
from typing import Any

from vitdet.compat.hooks import when_imported


def _patch(module: ModuleType) -> None:
    head = module.CascadeRPNHead
    original = head.__init__

    @functools.wraps(original)
    def init(self: Any, num_classes: int = 1, *args: Any, **kwargs: Any) -> None:
        original(self, num_classes, *args, **kwargs)

    head.__init__ = init


def install() -> None:
    """Register the patch of mmdet's head."""
    when_imported("mmdet.models.dense_heads.cascade_rpn_head", _patch)
