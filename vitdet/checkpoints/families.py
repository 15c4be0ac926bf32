"""Which of our models has checkpoints in which layouts."""

from torch import nn

from vitdet.backbones import ResNet, SwinTransformer
from vitdet.checkpoints import detr, resnet, swin
from vitdet.checkpoints.layout import Family
from vitdet.detectors import DETR

FAMILIES: dict[type[nn.Module], Family] = {
    DETR: detr.FAMILY,
    ResNet: resnet.FAMILY,
    SwinTransformer: swin.FAMILY,
}
