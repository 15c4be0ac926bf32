"""What all backbones share: initialization the way mmengine asks for it, and frozen stages."""

from typing import Any, Self

from mmengine.model import BaseModule, PretrainedInit
from torch import nn

InitConfig = dict[str, Any] | list[dict[str, Any]] | None


class Backbone(BaseModule):
    """A feature extractor whose `init_cfg` loads any published layout of its family.

    `init_cfg=dict(type="Pretrained", checkpoint=..., prefix=...)` is handed to
    `vitdet.checkpoints.load_checkpoint` in place of mmengine's loader, which drops keys it does not
    know without a word. The loader is named through the registry and not imported, because
    `checkpoints` stands above this package and knows every backbone's layouts.
    """

    def __init__(self, init_cfg: InitConfig = None) -> None:
        configs = init_cfg if isinstance(init_cfg, list) else [init_cfg] if init_cfg else []
        super().__init__([_with_our_loader(config) for config in configs] or None)

    def init_weights(self) -> None:
        """Initialize at random as published, then as `init_cfg` says."""
        if not self.is_init:
            self.apply(init_transformer_weights)
        super().init_weights()

    def freeze(self) -> None:
        """Take gradients from the frozen parts and set them to evaluation mode, if any."""

    def train(self, mode: bool = True) -> Self:
        """Set the mode of all modules but the frozen ones."""
        super().train(mode)
        self.freeze()
        return self


def _with_our_loader(config: dict[str, Any]) -> dict[str, Any]:
    if config["type"] in ("Pretrained", PretrainedInit):
        return {**config, "type": "vitdet.Pretrained"}
    return config


def init_transformer_weights(module: nn.Module) -> None:
    """Truncated normal of deviation 0.02 for linear layers, ones and zeros for norms."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.LayerNorm):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
