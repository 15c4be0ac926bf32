"""Necks: a backbone's maps (B, C_l, H_l, W_l) in, a pyramid of one width out."""

from vitdet.necks.simple_pyramid import SimpleFeaturePyramid

__all__ = ["SimpleFeaturePyramid"]
