"""Segmentors in the form of mmseg's, where ours do more with less."""

from vitdet.segmentors.encoder_decoder import EncoderDecoder

__all__ = ["EncoderDecoder"]
