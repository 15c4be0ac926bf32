"""How a kernel's result reaches the tensor that mmcv's Python side allocated for it."""

from collections.abc import Callable

import torch
from torch import Tensor


def fill(target: Tensor, compute: Callable[[], Tensor]) -> None:
    """Let `target` hold what `compute` returns, of the same shape.

    A tensor with memory of its own gives that up before `compute` runs and then takes over the
    result's: a copy costs as much again in memory, and a tenth of RoIAlign's time.
    """
    if torch.compiler.is_compiling() or not _owns_its_memory(target):
        target.copy_(compute())
        return
    target.set_()
    target.set_(compute().to(target.dtype))


def _owns_its_memory(tensor: Tensor) -> bool:
    storage = tensor.untyped_storage()
    is_whole = storage.nbytes() == tensor.numel() * tensor.element_size()
    return is_whole and storage.resizable() and not tensor._is_view()
