"""Backbones: images: (B, 3, H, W) in, a tuple of maps (B, C_l, H_l, W_l) out."""

from vitdet.backbones.resnet import ResNet
from vitdet.backbones.swin import SwinTransformer

__all__ = ["ResNet", "SwinTransformer"]
