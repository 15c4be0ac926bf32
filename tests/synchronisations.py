"""Counts the times that a step would wait for its device, without a device.

On a GPU the host runs ahead of the device until it asks for a value. Whether it asks shows on a CPU
too: such questions are operations of the dispatcher, or methods that hand out the values. What is
read of tensors that the host made itself, or has already waited for, is no question, and of several
in a row, without an operation between them, the first alone has something to wait for.
"""

import functools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
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
READING = ("cpu", "tolist", "numpy", "__array__")  # methods of a tensor


class Waits(Counter[str]):
    """How often something waited, by its name."""

    def __init__(self) -> None:
        super().__init__()
        self.is_at_rest = False  # whether nothing was given to the device since the last one

    def add(self, name: str) -> None:
        if not self.is_at_rest:
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
    originals = {name: getattr(Tensor, name) for name in READING}
    for name, original in originals.items():
        setattr(Tensor, name, _reading(name, original, waits))
    try:
        with _Counting(waits):
            yield waits
    finally:
        for name, original in originals.items():
            setattr(Tensor, name, original)


def _reading(name: str, original: Callable, waits: Waits) -> Callable:
    """`original`, a method that hands out values, counted in `waits`."""

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
