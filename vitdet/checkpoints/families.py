"""Which of our models has checkpoints in which layouts."""

from torch import nn

from vitdet.backbones import SwinTransformer, TimmBackbone, VisionTransformer
from vitdet.checkpoints import swin, timm_backbone, vit
from vitdet.checkpoints.layout import Family

FAMILIES: dict[type[nn.Module], Family] = {
    SwinTransformer: swin.FAMILY,
    VisionTransformer: vit.FAMILY,
}
"""Models whose layouts are known from keys alone."""


def has_family(module: nn.Module) -> bool:
    """Whether published checkpoints of this very module are known."""
    return type(module) in FAMILIES or isinstance(module, TimmBackbone)


def family_of(module: nn.Module) -> Family:
    """Return all that is known about checkpoints of a module that `has_family`."""
    if isinstance(module, TimmBackbone):  # its keys are those of whichever model it holds
        return timm_backbone.family_of(module)
    return FAMILIES[type(module)]
