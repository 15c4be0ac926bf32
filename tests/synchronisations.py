"""Counts the times that a step would wait for its device, without a device.

On a GPU the host runs ahead of the device until it asks for a value. Whether it asks shows on a CPU
too: such questions are operations of the dispatcher, or methods that hand out the values. What is
read of tensors that the host made itself, or has already waited for, is no question, and of several
in a row, without an operation between them, the first alone has something to wait for.
"""

import functools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from mmcv import _ext
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

# Operations whose result, or the size of it, the host has to know.
WAITING = {
    "aten::_local_scalar_dense",
    "aten::nonzero",
    "aten::equal",
    "aten::masked_select",
    "aten::unique_dim",
    "aten::unique_consecutive",
    "aten::_unique2",
    "aten::bincount",
    "torchvision::nms",
    "vitdet::nms_of_groups",
}
# A device computes these by itself, our CPU looks at how many samples the regions have.
KERNELS = ("roi_align_forward", "roi_align_backward")
READING = ("cpu", "tolist", "numpy", "__array__")  # methods of a tensor


class Waits(Counter[str]):
    """How often something waited, by its name."""

    def __init__(self) -> None:
        super().__init__()
        self.is_at_rest = False  # whether nothing was given to the device since the last one
        self.is_in_kernel = False

    def add(self, name: str) -> None:
        if not (self.is_at_rest or self.is_in_kernel):
            self[name] += 1
        self.is_at_rest = True


class _Counting(TorchDispatchMode):
    """Adds to `waits` what waits."""

    def __init__(self, waits: Waits) -> None:
        super().__init__()
        self.waits = waits

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs, name = kwargs or {}, func._schema.name
        is_unsized = name == "aten::repeat_interleave" and kwargs.get("output_size") is None
        if (name in WAITING or is_unsized or _has_mask(name, args)) and not _is_of_host(args[0]):
            self.waits.add(name)
        else:
            self.waits.is_at_rest = False
        return func(*args, **kwargs)


def _has_mask(name: str, args: tuple) -> bool:
    """Whether this reads or writes those places of a tensor where a mask is true."""
    if name not in ("aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"):
        return False
    return any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1])


def _is_of_host(tensor: Any) -> bool:
    return getattr(tensor, "_is_of_host", False)


@contextmanager
def counted() -> Iterator[Waits]:
    """How often what is done in here waits for the device."""
    waits = Waits()
    with ExitStack() as stack:
        for name in READING:
            stack.enter_context(patch.object(Tensor, name, _reading(name, waits)))
        for name in KERNELS:
            stack.enter_context(patch.object(_ext, name, _kernel(name, waits)))
        stack.enter_context(_Counting(waits))
        yield waits


def _reading(name: str, waits: Waits) -> Callable:
    """The method of a tensor of this name, counted in `waits`."""
    original = getattr(Tensor, name)

    @functools.wraps(original)
    def read(tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
        if _is_of_host(tensor):
            return original(tensor, *args, **kwargs)
        waits.add(f"Tensor.{name}")
        result = original(tensor, *args, **kwargs)
        if isinstance(result, Tensor):
            result = result.view_as(result)  # on a CPU `cpu()` is the tensor itself
            result._is_of_host = True
        waits.is_at_rest = True
        return result

    return read


def _kernel(name: str, waits: Waits) -> Callable:
    """The kernel of this name, inside which nothing is counted in `waits`."""
    original = getattr(_ext, name)

    @functools.wraps(original)
    def run(*args: Any, **kwargs: Any) -> Any:
        waits.is_in_kernel = True
        try:
            return original(*args, **kwargs)
        finally:
            waits.is_in_kernel = waits.is_at_rest = False

    return run
