"""Warnings of mmseg's that no user of a config can act on.

Breaks: mmseg (<= 1.2) warns that its own heads call a function of its own that "would be
deprecated", and that a cross-entropy averages over ignored pixels too, as the published models were
trained. Delete when it does not.
"""

import warnings
from types import ModuleType

from vitdet.compat.hooks import when_imported


def _ignore_build_loss(_: ModuleType) -> None:
    warnings.filterwarnings("ignore", message="``build_loss`` would be deprecated")


def _ignore_avg_non_ignore(_: ModuleType) -> None:
    warnings.filterwarnings("ignore", message="Default ``avg_non_ignore`` is False")


def install() -> None:
    """Register the filters of `mmseg.models.builder` and of mmseg's cross-entropy."""
    when_imported("mmseg.models.builder", _ignore_build_loss)
    when_imported("mmseg.models.losses.cross_entropy_loss", _ignore_avg_non_ignore)
