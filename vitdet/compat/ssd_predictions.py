"""Predictions of SSD.

Breaks: mmdet 3.3 asks the loss of every dense head for V3Det's kind of classes before it predicts;
`SSDHead` has no `loss_cls`, so that no SSD predicts. Delete when one does.
"""

from types import ModuleType

from vitdet.compat.hooks import when_imported


def _patch(module: ModuleType) -> None:
    module.SSDHead.loss_cls = None


def install() -> None:
    """Register the patch of mmdet's head."""
    when_imported("mmdet.models.dense_heads.ssd_head", _patch)
