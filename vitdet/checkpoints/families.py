"""Which of our models has checkpoints in which layouts."""

from torch import nn

from vitdet.backbones import (
    TNT,
    FocalTransformer,
    PyramidVisionTransformer,
    PyramidVisionTransformerV2,
    Sequencer2D,
    SwinTransformer,
    SwinTransformerV2,
    VisionTransformer,
)
from vitdet.checkpoints import focal, pvt, pvt_v2, sequencer, swin, swin_v2, tnt, vit
from vitdet.checkpoints.layout import Family

FAMILIES: dict[type[nn.Module], Family] = {
    FocalTransformer: focal.FAMILY,
    PyramidVisionTransformer: pvt.FAMILY,
    PyramidVisionTransformerV2: pvt_v2.FAMILY,
    Sequencer2D: sequencer.FAMILY,
    SwinTransformer: swin.FAMILY,
    SwinTransformerV2: swin_v2.FAMILY,
    TNT: tnt.FAMILY,
    VisionTransformer: vit.FAMILY,
}
