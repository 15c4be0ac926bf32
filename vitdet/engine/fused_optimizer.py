"""The optimizer's own kernels over all parameters, where it has them."""

from collections.abc import Mapping
from typing import Any

from torch.optim import Optimizer

from vitdet.engine.config_types import class_of, parameters_of
from vitdet.errors import UserError

# What chooses between an optimizer's implementations, or asks of it what the fused one cannot.
_CHOICES = {"fused", "foreach", "capturable", "differentiable"}


def fused_optimizer(config: Mapping[str, Any], scope: str) -> dict[str, Any]:
    """The config of an optimizer wrapper that takes the optimizer's fused form, if it has one.

    torch has one of Adam, AdamW, SGD and Adagrad on CPU, CUDA and MPS devices, which goes over
    weights, gradients and averages once. A config that chooses by itself is left as it is.
    """
    optimizer = config.get("optimizer")
    if not isinstance(optimizer, dict) or _CHOICES & set(optimizer):
        return config
    cls = class_of(optimizer, scope)
    if cls is None or "fused" not in parameters_of(cls):
        return config
    return {**config, "optimizer": {**optimizer, "fused": True}}


def merge_groups(optimizer: Optimizer) -> None:
    """Make one group of those parameters that have the same settings, in place.

    mmengine makes a group of every parameter where a config treats some differently, and an
    optimizer goes over each group by itself.
    """
    merged: list[dict[str, Any]] = []
    for group in optimizer.param_groups:
        for other in merged:
            if {**other, "params": None} == {**group, "params": None}:
                other["params"] += group["params"]
                break
        else:
            merged.append({**group, "params": list(group["params"])})
    optimizer.param_groups[:] = merged


def check_groups(checkpoint: Mapping[str, Any], optimizer: Optimizer) -> None:
    """Refuse to go on from an optimizer whose parameters are grouped in another way.

    Raises:
        UserError: that is so, as in a checkpoint that mmdet or mmseg wrote.
    """
    theirs = checkpoint.get("optimizer", {}).get("param_groups")
    if theirs is not None and len(theirs) != len(optimizer.param_groups):
        raise UserError(
            f"--resume: the checkpoint's optimizer has {len(theirs)} groups of parameters, this "
            f"run's {len(optimizer.param_groups)}: it is of another framework or recipe; start "
            "from its weights with --cfg-options load_from=FILE"
        )
