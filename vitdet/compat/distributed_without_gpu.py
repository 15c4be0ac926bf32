"""Several processes on CPUs: `--launcher pytorch` where there is no GPU.

Breaks: mmengine (<= 0.10) calls `torch.cuda.set_device` whatever the backend, and hands GPU numbers
to `DistributedDataParallel`, which refuses them for a model on the CPU.
Delete when mmengine asks for the device before it does either.
"""

import functools
from types import ModuleType
from typing import Any

from vitdet.compat.hooks import when_imported


def _patch_init(dist_utils: ModuleType) -> None:
    original = dist_utils._init_dist_pytorch

    @functools.wraps(original)
    def init_dist_pytorch(backend: str, init_backend: str = "torch", **kwargs: Any) -> None:
        from mmengine.device import get_device

        if get_device() != "cpu" or init_backend != "torch":
            return original(backend, init_backend=init_backend, **kwargs)
        # Configs say "nccl", which knows GPUs only.
        backend = "gloo" if backend == "nccl" else backend
        return dist_utils.torch_dist.init_process_group(backend=backend, **kwargs)

    dist_utils._init_dist_pytorch = init_dist_pytorch


def _patch_wrapper(wrappers: ModuleType) -> None:
    wrapper = wrappers.MMDistributedDataParallel
    original = wrapper.__init__

    @functools.wraps(original)
    def init(self: Any, module: Any, *args: Any, **kwargs: Any) -> None:
        if all(parameter.device.type == "cpu" for parameter in module.parameters()):
            kwargs["device_ids"] = None
        original(self, module, *args, **kwargs)

    wrapper.__init__ = init


def install() -> None:
    """Register the patches of `mmengine.dist.utils` and of mmengine's DDP wrapper."""
    when_imported("mmengine.dist.utils", _patch_init)
    when_imported("mmengine.model.wrappers.distributed", _patch_wrapper)
