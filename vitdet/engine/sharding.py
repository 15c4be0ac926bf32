"""`--fsdp`: weights, gradients and the optimizer's state are shared out over all processes."""

from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import EMAHook
from mmengine.optim import OptimWrapper
from mmengine.registry import MODEL_WRAPPERS
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer

from vitdet.engine.blocks import blocks_of
from vitdet.engine.config_types import class_of
from vitdet.errors import UserError


@MODEL_WRAPPERS.register_module()
class FullyShardedModel(nn.Module):
    """torch's `fully_shard` (FSDP2) as one of mmengine's model wrappers.

    Each block of a transformer is a unit: its weights are gathered before it runs and dropped
    after; all others are one more unit, there for the whole step. Until `shard` the model is an
    ordinary one, so that whatever initializes and loads weights need not know.

    Evaluations gather weights, too: all processes have to evaluate as many batches.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.is_sharded = False

    def shard(self) -> None:
        """Keep this process's share only; an optimizer has to be built afterwards."""
        mesh = init_device_mesh(get_device(), (get_world_size(),))
        for block in blocks_of(self.module):
            fully_shard(block, mesh=mesh)
        fully_shard(self.module, mesh=mesh)
        self.is_sharded = True

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    def train_step(self, data: Any, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        return self.module.train_step(data, optim_wrapper)

    def val_step(self, data: Any) -> list:
        return self.module.val_step(data)

    def test_step(self, data: Any) -> list:
        return self.module.test_step(data)


def use_sharding(config: Config, launcher: str) -> None:
    """Let a training share its model out, in place.

    Raises:
        UserError: there is one process only, the weights are averaged, or processes would evaluate
            different numbers of batches.
    """
    if launcher == "none":
        raise UserError(
            "--fsdp shares a model out over several processes: start it with tools/dist_train.sh, "
            "or with torchrun and --launcher pytorch"
        )
    scope = config.get("default_scope") or "mmengine"
    hooks = config.get("custom_hooks") or []
    if any(issubclass(class_of(hook, scope) or object, EMAHook) for hook in hooks):
        raise UserError("--fsdp: averages of the weights (--ema) are not shared out; leave one out")
    for part in ("val", "test"):
        sampler = (config.get(f"{part}_dataloader") or {}).get("sampler") or {}
        if not sampler.get("round_up", True):
            raise UserError(
                f"--fsdp: {part}_dataloader.sampler.round_up=False: some processes would wait for "
                "batches that others do not have; leave it out, no image is counted twice"
            )
    config["model_wrapper_cfg"] = dict(type="vitdet.engine.sharding.FullyShardedModel")


def whole(state: Any) -> Any:
    """A state dict with whole tensors on the CPU in place of shares; all processes take part, and
    only the main one gets something.
    """
    if isinstance(state, DTensor):
        tensor = state.full_tensor()
        return tensor.detach().cpu() if is_main_process() else None
    if isinstance(state, dict):
        return {key: whole(value) for key, value in state.items()}
    if isinstance(state, list):
        return [whole(value) for value in state]
    return state


def share_when_loaded(optimizer: Optimizer) -> None:
    """Let the optimizer of a shared-out model load what one of a whole model has saved."""

    def share(optimizer: Optimizer, state: dict[str, Any]) -> dict[str, Any]:
        ours = [one for group in optimizer.param_groups for one in group["params"]]
        keys = [key for group in state["param_groups"] for key in group["params"]]
        shared = dict(state["state"])
        for key, parameter in zip(keys, ours, strict=True):
            if key in shared:
                shared[key] = {k: _share(v, parameter) for k, v in shared[key].items()}
        return {**state, "state": shared}

    optimizer.register_load_state_dict_pre_hook(share)


def _share(value: Any, parameter: Tensor) -> Any:
    """What this process keeps of a value of the optimizer, which is a tensor for each weight."""
    if not isinstance(parameter, DTensor) or not torch.is_tensor(value):
        return value
    if value.shape != parameter.shape:
        return value
    return distribute_tensor(
        value.to(parameter.device), parameter.device_mesh, parameter.placements
    )
