"""Which of our models has checkpoints in which layouts."""

from torch import nn

from vitdet.backbones import SwinTransformer, VisionTransformer
from vitdet.checkpoints import swin, vit
from vitdet.checkpoints.layout import Family

FAMILIES: dict[type[nn.Module], Family] = {
    SwinTransformer: swin.FAMILY,
    VisionTransformer: vit.FAMILY,
}
