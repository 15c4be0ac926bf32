"""Mask2Former (Cheng et al. 2022, arXiv:2112.01527) for semantic segmentation: mmseg's head.

Left open, and filled in by `vitdet.engine.load_config`: the backbone, the head's `in_channels`, the
number of classes, the weights of their losses, and the size of training crops.
"""

from mmengine.config import read_base

with read_base():
    from .mask2former import *
    from .upernet import model as upernet

from mmseg.models.decode_heads import Mask2FormerHead as SemanticMask2FormerHead

from vitdet.segmentors import EncoderDecoder

head = model["panoptic_head"]
head.update(type=SemanticMask2FormerHead, align_corners=False, train_cfg=model["train_cfg"])
head.pop("num_stuff_classes")
model = dict(
    type=EncoderDecoder,
    # Images are tested at multiples of the largest stride.
    data_preprocessor=dict(upernet["data_preprocessor"], test_cfg=dict(size_divisor=32)),
    decode_head=head,
    train_cfg=dict(),
    test_cfg=upernet["test_cfg"],
)
