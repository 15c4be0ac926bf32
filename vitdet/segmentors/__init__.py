"""Segmentors in the form of mmseg's, where ours do more with less, and a loss for rare classes."""

from vitdet.segmentors.dice_loss import ClassDiceLoss
from vitdet.segmentors.encoder_decoder import EncoderDecoder

__all__ = ["ClassDiceLoss", "EncoderDecoder"]
