"""`mmcv._ext` on torch and torchvision kernels, one file per op."""

from types import ModuleType


def populate(module: ModuleType) -> None:
    """Give `module` every function of `mmcv._ext` (mmcv 2.1)."""
    raise ImportError("not written yet")
