"""Which of our models has checkpoints in which layouts."""

from torch import nn

from vitdet.backbones import (
    TNT,
    PyramidVisionTransformer,
    PyramidVisionTransformerV2,
    SwinTransformer,
    SwinTransformerV2,
    VisionTransformer,
)
from vitdet.checkpoints import pvt, pvt_v2, swin, swin_v2, tnt, vit
from vitdet.checkpoints.layout import Family

FAMILIES: dict[type[nn.Module], Family] = {
    PyramidVisionTransformer: pvt.FAMILY,
    PyramidVisionTransformerV2: pvt_v2.FAMILY,
    SwinTransformer: swin.FAMILY,
    SwinTransformerV2: swin_v2.FAMILY,
    TNT: tnt.FAMILY,
    VisionTransformer: vit.FAMILY,
}
