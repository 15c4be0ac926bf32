"""What a pickled checkpoint may hold besides tensors, and what becomes of it.

Breaks: torch >= 2.6 loads `weights_only`, which refuses every checkpoint that mmengine (<= 0.10)
writes: its message hub holds `HistoryBuffer` objects, and these hold numpy arrays and methods.
Delete when mmengine writes plain data.

Each global name that such a file may mention is mapped to a *stand-in* of ours, so the file never
reaches the real object. That matters even for harmless looking ones: `builtins.getattr` reaches
anything, and the state of a pickled `numpy.dtype` can declare plain bytes to be object pointers.
Stand-ins are exchanged for real arrays and buffers once the whole file has been read.
"""

import argparse
from collections import OrderedDict
from collections.abc import Callable
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_STATISTICS = ("min", "max", "mean", "current")


class _StandIn:
    """Holds in `value` what shall take its place."""

    value: Any


class _Dtype(_StandIn):
    """Stands for `numpy.dtype`: booleans, numbers and strings, in either byte order."""

    def __init__(self, code: str, align: bool = False, copy: bool = False) -> None:
        import numpy as np

        dtype = np.dtype(str(code))
        if dtype.kind not in "biufcSU":
            raise UnpicklingError(f"Unsupported GLOBAL numpy.dtype({code})")
        self.value = dtype

    def __setstate__(self, state: tuple) -> None:
        self.value = self.value.newbyteorder(state[1])


class _Array(_StandIn):
    """Stands for `numpy.ndarray`."""

    def __setstate__(self, state: tuple) -> None:
        import numpy as np

        _version, shape, dtype, is_fortran, data = state
        order = "F" if is_fortran else "C"
        self.value = np.ndarray(shape, _checked(dtype), buffer=data, order=order).copy(order)


class _HistoryBuffer(_StandIn):
    """Stands for mmengine's `HistoryBuffer`: its numbers come from the file, its methods do not."""

    def __setstate__(self, state: dict) -> None:
        from mmengine.logging import HistoryBuffer

        self.value = HistoryBuffer(
            state["_log_history"].value, state["_count_history"].value, int(state["max_length"])
        )


def _new_array(array_type: type, shape: tuple, code: bytes) -> _Array:
    return _Array()


def _scalar(dtype: _Dtype, data: bytes) -> "np.generic":
    import numpy as np

    return np.ndarray((), _checked(dtype), buffer=data)[()]


def _checked(dtype: Any) -> "np.dtype":
    """The numpy type behind the stand-in, and nothing that merely has a `value`."""
    if type(dtype) is not _Dtype:
        raise UnpicklingError(f"an array's type is given by a {type(dtype).__name__}")
    return dtype.value


def _statistics_method(owner: type, name: str) -> Callable:
    from mmengine.logging import HistoryBuffer

    if owner is not _HistoryBuffer or name not in _STATISTICS:
        raise UnpicklingError(f"Unsupported GLOBAL builtins.getattr of {name!r}")
    return getattr(HistoryBuffer, name)


def _plain_dict(items: dict) -> dict:
    return dict(items)


ALLOWED_GLOBALS: list[tuple[Callable, str]] = [
    (_HistoryBuffer, "mmengine.logging.history_buffer.HistoryBuffer"),
    (_statistics_method, "builtins.getattr"),
    (_plain_dict, "mmengine.config.config.ConfigDict"),
    (_Array, "numpy.ndarray"),
    (_Dtype, "numpy.dtype"),
    (_new_array, "numpy._core.multiarray._reconstruct"),
    (_scalar, "numpy._core.multiarray.scalar"),
    (_new_array, "numpy.core.multiarray._reconstruct"),  # numpy 1
    (_scalar, "numpy.core.multiarray.scalar"),
    (bytes, "builtins.bytes"),  # the data of an empty array
    (argparse.Namespace, "argparse.Namespace"),  # attributes only: the official DETR and DeiT files
    (OrderedDict, "yacs.config.CfgNode"),  # the official Swin files
]
"""Stand-in and the global name it answers to, as `torch.serialization.safe_globals` takes them."""


def replace_stand_ins(node: Any) -> Any:
    """Return what was read with every stand-in exchanged, containers changed in place.

    Each container is walked once: a few shared lists may stand for a tree that never ends.
    """
    return _replace(node, {})


def _replace(node: Any, done: dict[int, tuple[Any, Any]]) -> Any:
    if isinstance(node, _StandIn):
        return node.value
    if not isinstance(node, dict | list | tuple | argparse.Namespace):
        return node
    if id(node) in done:
        return done[id(node)][1]
    done[id(node)] = node, node  # kept alive, so that no other object gets its id
    if isinstance(node, dict):
        for key in node:
            node[key] = _replace(node[key], done)
    elif isinstance(node, list):
        node[:] = [_replace(item, done) for item in node]
    elif type(node) is tuple:
        done[id(node)] = node, tuple(_replace(item, done) for item in node)
    elif isinstance(node, argparse.Namespace):
        _replace(vars(node), done)
    return done[id(node)][1]
