"""Which of our models has checkpoints in which layouts."""

from torch import nn

from vitdet.backbones import TNT, SwinTransformer, SwinTransformerV2, VisionTransformer
from vitdet.checkpoints import swin, swin_v2, tnt, vit
from vitdet.checkpoints.layout import Family

FAMILIES: dict[type[nn.Module], Family] = {
    SwinTransformer: swin.FAMILY,
    SwinTransformerV2: swin_v2.FAMILY,
    TNT: tnt.FAMILY,
    VisionTransformer: vit.FAMILY,
}
