"""An update of the weights that is left out where the loss is not finite."""

import functools
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.optim import OptimWrapper
from torch import Tensor
from torch.distributed.tensor import DTensor


class StepGuard:
    """Watches the losses that go through an optimizer wrapper, and leaves out an update that one of
    them would spoil: with gradient accumulation that of all its batches, with several processes
    that of all processes.

    The loss is looked at on the device; its verdict is on the host before the update, when the
    device still has the backward pass to do. Where gradients are clipped by their norm, which
    mmengine brings to the host anyway, a norm that is not finite counts too, but under loss
    scaling: there it is how the scale is found.

    `has_updated` says whether the last step ended in an update.
    """

    def __init__(self, wrapper: OptimWrapper) -> None:
        self._wrapper = wrapper
        self._update_params, self._step = wrapper.update_params, wrapper.step
        wrapper.update_params = self._watched_update

        @functools.wraps(wrapper.step)  # with the mark by which schedulers know that they count it
        def step(**kwargs: Any) -> None:
            self._guarded_step(**kwargs)

        wrapper.step = step
        if wrapper.clip_grad_kwargs:
            self._clip = wrapper.clip_func
            wrapper.clip_func = self._watched_clip
        self._since_update: list[_Verdict] = []
        self.before_step()

    def is_bad(self) -> bool:
        """Whether the last step had a loss or a gradient that is not finite, on any process."""
        return self._has_bad_gradient or (self._last is not None and self._last.is_bad())

    def before_step(self) -> None:
        """Forget the last step."""
        self._last: _Verdict | None = None
        self._has_bad_gradient = False
        self.has_updated = False

    def _watched_update(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        self._last = _Verdict(loss)
        self._since_update.append(self._last)
        self._update_params(loss, *args, **kwargs)

    def _guarded_step(self, **kwargs: Any) -> None:
        is_bad = any(verdict.is_bad() for verdict in self._since_update)
        self._since_update.clear()
        if is_bad:
            return
        try:
            self._step(**kwargs)
            self.has_updated = True
        except _BadGradientError:
            self._has_bad_gradient = True

    def _watched_clip(self, parameters: Sequence[Tensor], **kwargs: Any) -> Tensor | None:
        norm = self._clip(parameters, **kwargs)
        scaler = getattr(self._wrapper, "loss_scaler", None)
        if isinstance(norm, DTensor):
            norm = norm.full_tensor()
        is_scaled = scaler is not None and scaler.is_enabled()
        if norm is not None and not is_scaled and not torch.isfinite(norm):
            raise _BadGradientError
        return norm


class _BadGradientError(Exception):
    """Ends a step between the norm of the gradients and the update."""


class _Verdict:
    """Whether a loss is not finite on one of the processes, on its way to the host."""

    def __init__(self, loss: Tensor) -> None:
        flag = torch.isfinite(loss.detach()).logical_not().float()
        if get_world_size() > 1:
            all_reduce(flag, "max")
        self._arrival = None
        if flag.is_cuda:
            host = torch.empty((), pin_memory=True)
            flag = host.copy_(flag, non_blocking=True)
            self._arrival = torch.cuda.Event()
            self._arrival.record()
        self._flag = flag

    def is_bad(self) -> bool:
        if self._arrival is not None:
            self._arrival.synchronize()
        return bool(self._flag)
