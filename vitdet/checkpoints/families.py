"""Which of our models has checkpoints in which layouts."""

from torch import nn

from vitdet.backbones import (
    TNT,
    FocalTransformer,
    PyramidVisionTransformer,
    PyramidVisionTransformerV2,
    ResNet,
    Sequencer2D,
    SwinTransformer,
    SwinTransformerV2,
    TimmBackbone,
    VisionTransformer,
)
from vitdet.checkpoints import (
    detr,
    focal,
    pvt,
    pvt_v2,
    resnet,
    sequencer,
    swin,
    swin_v2,
    timm_backbone,
    tnt,
    vit,
    yolos,
)
from vitdet.checkpoints.layout import Family
from vitdet.detectors import DETR, YOLOS

FAMILIES: dict[type[nn.Module], Family] = {
    DETR: detr.FAMILY,
    FocalTransformer: focal.FAMILY,
    PyramidVisionTransformer: pvt.FAMILY,
    PyramidVisionTransformerV2: pvt_v2.FAMILY,
    ResNet: resnet.FAMILY,
    Sequencer2D: sequencer.FAMILY,
    SwinTransformer: swin.FAMILY,
    SwinTransformerV2: swin_v2.FAMILY,
    TNT: tnt.FAMILY,
    VisionTransformer: vit.FAMILY,
    YOLOS: yolos.FAMILY,
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
