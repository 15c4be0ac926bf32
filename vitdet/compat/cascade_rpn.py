"""Builds Cascade RPN where it stands alone.

Breaks: in mmdet 3.3 its config of Cascade RPN alone does not build. `CascadeRPNHead` wants
`num_classes`, which may only be 1: two-stage detectors fill it in, `RPN` does not. And the config
still states `sampling`, which since mmdet 3 follows from the sampler. Delete when it builds.
"""

import functools
from types import ModuleType
from typing import Any

from vitdet.compat.hooks import when_imported


def _patch(module: ModuleType) -> None:
    head = module.CascadeRPNHead
    original = head.__init__

    @functools.wraps(original)
    def init(
        self: Any, num_classes: int = 1, num_stages: int = 2, stages: Any = (), **kwargs: Any
    ) -> None:
        for stage in stages:
            stage.pop("sampling", None)
        original(self, num_classes, num_stages, stages, **kwargs)

    head.__init__ = init


def install() -> None:
    """Register the patch of mmdet's head."""
    when_imported("mmdet.models.dense_heads.cascade_rpn_head", _patch)
