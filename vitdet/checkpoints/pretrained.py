"""`init_cfg=dict(type="Pretrained", ...)` of our models."""

from mmengine.logging import print_log
from mmengine.model import update_init_info
from torch import nn

from vitdet.checkpoints.loading import load_checkpoint
from vitdet.registry import WEIGHT_INITIALIZERS


@WEIGHT_INITIALIZERS.register_module(name="Pretrained")
class PretrainedInit:
    """Initialize a module from a checkpoint in any published layout.

    Takes the arguments of mmengine's initializer of the same name and refuses what does not fit.
    """

    def __init__(
        self, checkpoint: str, prefix: str | None = None, map_location: str = "cpu"
    ) -> None:
        self.checkpoint = checkpoint
        self.prefix = prefix
        self.map_location = map_location

    def __call__(self, module: nn.Module) -> None:
        report = load_checkpoint(
            module, self.checkpoint, prefix=self.prefix, map_location=self.map_location
        )
        print_log(str(report), logger="current")
        if hasattr(module, "_params_init_info"):  # only while a whole model is initialized
            update_init_info(module, init_info=f"loaded from {self.checkpoint}")
