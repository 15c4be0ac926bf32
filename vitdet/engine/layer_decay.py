"""Learning rates that decay from the heads down to the first block of a backbone.

So that fine-tuning changes least what pre-training taught first: Clark et al. 2020, "ELECTRA"
(arXiv:2003.10555); for detectors Li et al. 2022, "ViTDet" (arXiv:2203.16527), appendix A.2.
"""

import re
from typing import Any

from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn

from vitdet.backbones.backbone import Backbone
from vitdet.errors import UserError
from vitdet.registry import OPTIM_WRAPPER_CONSTRUCTORS

# Positions and tokens, which like norms and biases are not decayed towards 0.
UNDECAYED = re.compile(r"pos_embed|_token$|_pos$|bias_table$")


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayConstructor(DefaultOptimWrapperConstructor):
    """Builds the optimizer for `paramwise_cfg=dict(layer_decay_rate=RATE)`.

    What follows the last block, heads included, has the optimizer's learning rate; every block has
    RATE times that of the next, and what stands before the first RATE times the first's. Weight
    decay leaves out positions, class tokens and all that is a vector: norms, biases, scales.

    There is one group of parameters per rate and weight decay, 28 for ViT-B: a group of its own
    for every parameter, as mmengine makes, would let the optimizer step parameter by parameter.
    """

    def add_params(self, params: list[dict[str, Any]], module: nn.Module, **_: Any) -> None:
        """Fill `params` with the groups of all parameters of `module`, heads first."""
        rate = self.paramwise_cfg.get("layer_decay_rate")
        if rate is None or not 0 < rate <= 1:
            raise UserError(
                f"optim_wrapper.paramwise_cfg.layer_decay_rate is {rate}; give one in (0, 1], or "
                "take the constructor out"
            )
        heights = _heights(module)
        groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
        for name, parameter in module.named_parameters():
            is_decayed = parameter.ndim > 1 and not UNDECAYED.search(name)
            groups.setdefault((heights.get(name, 0), is_decayed), []).append(parameter)
        for (height, is_decayed), members in sorted(groups.items(), key=lambda item: item[0]):
            group: dict[str, Any] = {"params": members, "lr": self.base_lr * rate**height}
            if not is_decayed:
                group["weight_decay"] = 0.0
            params.append(group)


def _heights(model: nn.Module) -> dict[str, int]:
    """Steps from the heads down to each parameter of the backbones in `model`, by name."""
    heights = {}
    for prefix, module in model.named_modules():
        if isinstance(module, Backbone):
            prefix = f"{prefix}." if prefix else ""
            own = module.heights_of_parameters()
            heights |= {prefix + name: height for name, height in own.items()}
    if not heights:
        raise UserError(
            "layer_decay_rate needs a backbone of vitdet's, whose blocks are known; "
            "take the constructor out of optim_wrapper for others"
        )
    return heights
