"""Mixed precision on the CPU: `--amp` where there is no GPU.

Breaks: `AmpOptimWrapper` of mmengine (<= 0.10) asserts that there is a GPU, although mmengine's own
autocast runs bfloat16 on the CPU. Delete when the assertion is gone.

Where a CPU has no bfloat16 arithmetic, torch emulates it, 10 to 15 times slower than float32; there
training stays in float32, and says so.
"""

import functools
from types import ModuleType
from typing import Any

from vitdet.compat.hooks import when_imported
from vitdet.errors import UserError


def _patch(amp_module: ModuleType) -> None:
    wrapper = amp_module.AmpOptimWrapper
    original_init, original_load = wrapper.__init__, wrapper.load_state_dict
    original_context = wrapper.optim_context

    @functools.wraps(original_init)
    def init(
        self: Any,
        loss_scale: Any = "dynamic",
        dtype: Any = None,
        use_fsdp: bool = False,
        **kwargs: Any,
    ) -> None:
        import torch
        from mmengine.device import get_device
        from mmengine.logging import print_log

        if get_device() != "cpu":
            original_init(self, loss_scale, dtype, use_fsdp, **kwargs)
            return
        if dtype not in (None, "bfloat16", torch.bfloat16):
            raise UserError(
                f"optim_wrapper.dtype={dtype}: mixed precision on a CPU knows bfloat16 only; "
                "set optim_wrapper.dtype=bfloat16, or leave it out"
            )
        amp_module.OptimWrapper.__init__(self, **kwargs)
        self._scale_update_param = None
        # bfloat16 has the range of float32, so there is nothing to scale.
        self.loss_scaler = torch.amp.GradScaler("cpu", enabled=False)
        self.cast_dtype = torch.bfloat16
        if not has_bfloat16():
            self.cast_dtype = torch.float32
            print_log("this CPU has no bfloat16 arithmetic: training in float32", "current")

    @functools.wraps(original_context)
    def optim_context(self: Any, model: Any) -> Any:
        import torch

        if self.cast_dtype == torch.float32:
            return amp_module.OptimWrapper.optim_context(self, model)
        return original_context(self, model)

    @functools.wraps(original_load)
    def load_state_dict(self: Any, state_dict: dict) -> None:
        if not state_dict.get("loss_scaler", True):  # saved on a CPU; a GPU's scaler refuses it
            state_dict.pop("loss_scaler")
        original_load(self, state_dict)

    wrapper.__init__ = init
    wrapper.optim_context = optim_context
    wrapper.load_state_dict = load_state_dict


def has_bfloat16() -> bool:
    """Whether this CPU computes in bfloat16 instead of emulating it."""
    import platform

    import torch

    if platform.machine() in ("x86_64", "AMD64"):
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def install() -> None:
    """Register the patch of mmengine's `AmpOptimWrapper`."""
    when_imported("mmengine.optim.optimizer.amp_optimizer_wrapper", _patch)
