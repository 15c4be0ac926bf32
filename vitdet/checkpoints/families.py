"""Which of our models has checkpoints in which layouts."""

from torch import nn

from vitdet.backbones import (
    PyramidVisionTransformer,
    PyramidVisionTransformerV2,
    SwinTransformer,
)
from vitdet.checkpoints import pvt, pvt_v2, swin
from vitdet.checkpoints.layout import Family

FAMILIES: dict[type[nn.Module], Family] = {
    PyramidVisionTransformer: pvt.FAMILY,
    PyramidVisionTransformerV2: pvt_v2.FAMILY,
    SwinTransformer: swin.FAMILY,
}
