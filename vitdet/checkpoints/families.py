"""Which of our models has checkpoints in which layouts."""

from torch import nn

from vitdet.backbones import FocalTransformer, Sequencer2D, SwinTransformer
from vitdet.checkpoints import focal, sequencer, swin
from vitdet.checkpoints.layout import Family

FAMILIES: dict[type[nn.Module], Family] = {
    FocalTransformer: focal.FAMILY,
    Sequencer2D: sequencer.FAMILY,
    SwinTransformer: swin.FAMILY,
}
