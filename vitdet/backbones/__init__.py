"""Backbones: images: (B, 3, H, W) in, a tuple of maps (B, C_l, H_l, W_l) out."""

from vitdet.backbones.focal import FocalTransformer
from vitdet.backbones.pvt import PyramidVisionTransformer
from vitdet.backbones.pvt_v2 import PyramidVisionTransformerV2
from vitdet.backbones.resnet import ResNet
from vitdet.backbones.sequencer import Sequencer2D
from vitdet.backbones.swin import SwinTransformer
from vitdet.backbones.swin_v2 import SwinTransformerV2
from vitdet.backbones.timm import TimmBackbone
from vitdet.backbones.tnt import TNT
from vitdet.backbones.vit import VisionTransformer

__all__ = [
    "TNT",
    "FocalTransformer",
    "PyramidVisionTransformer",
    "PyramidVisionTransformerV2",
    "ResNet",
    "Sequencer2D",
    "SwinTransformer",
    "SwinTransformerV2",
    "TimmBackbone",
    "VisionTransformer",
]
