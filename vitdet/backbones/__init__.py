"""Backbones: images: (B, 3, H, W) in, a tuple of maps (B, C_l, H_l, W_l) out."""

from vitdet.backbones.swin import SwinTransformer
from vitdet.backbones.timm import TimmBackbone
from vitdet.backbones.vit import VisionTransformer

__all__ = ["SwinTransformer", "TimmBackbone", "VisionTransformer"]
