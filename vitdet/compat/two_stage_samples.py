"""Samples of a two-stage detector's training.

Slow: mmdet 3.3 copies all of a batch's samples deeply, masks and tensors on the device included, to
give the region proposal network other labels. Delete when it no longer does.
"""

import copy
from collections.abc import Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

from vitdet.compat.hooks import when_imported


def _with_own_instances(samples: Sequence[Any]) -> list[Any]:
    """Samples whose instances can be given other labels, and share all else."""
    copies = [copy.copy(sample) for sample in samples]
    for sample in copies:
        sample.gt_instances = copy.copy(sample.gt_instances)
    return copies


def _patch(module: ModuleType) -> None:
    module.copy = SimpleNamespace(deepcopy=_with_own_instances)


def install() -> None:
    """Register the patch of mmdet's detector."""
    when_imported("mmdet.models.detectors.two_stage", _patch)
