"""Backbones: images: (B, 3, H, W) in, a tuple of maps (B, C_l, H_l, W_l) out."""

from vitdet.backbones.focal import FocalTransformer
from vitdet.backbones.sequencer import Sequencer2D
from vitdet.backbones.swin import SwinTransformer

__all__ = ["FocalTransformer", "Sequencer2D", "SwinTransformer"]
