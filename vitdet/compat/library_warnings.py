"""Warnings about mmdet's and mmseg's own code that no user of a config can act on.

Breaks: mmseg (<= 1.2) warns that its own heads call a function of its own that "would be
deprecated", and that a cross-entropy averages over ignored pixels too, as the published models were
trained; torch, that mmdet (<= 3.3) in its deformable DETR, DINO and Mask2Former leaves the order of
`torch.meshgrid` open. Delete when they do not.
"""

import warnings
from types import ModuleType

from vitdet.compat.hooks import when_imported


def _ignore_build_loss(_: ModuleType) -> None:
    warnings.filterwarnings("ignore", message="``build_loss`` would be deprecated")


def _ignore_avg_non_ignore(_: ModuleType) -> None:
    warnings.filterwarnings("ignore", message="Default ``avg_non_ignore`` is False")


def _ignore_meshgrid(_: ModuleType) -> None:
    warnings.filterwarnings("ignore", message="torch.meshgrid: in an upcoming release")


def install() -> None:
    """Register the filter of each module that warns."""
    when_imported("mmdet.models", _ignore_meshgrid)
    when_imported("mmseg.models.builder", _ignore_build_loss)
    when_imported("mmseg.models.losses.cross_entropy_loss", _ignore_avg_non_ignore)
