"""Semantic FPN (Kirillov et al. 2019, arXiv:1901.02446), as PVT uses it.

Left open, and filled in by `vitdet.engine.load_config`: the backbone, the neck's `in_channels` and
`num_classes`, the size of training crops; and with `test_cfg.mode=slide` that of windows.
"""

from mmseg.models.data_preprocessor import SegDataPreProcessor
from mmseg.models.decode_heads import FPNHead
from mmseg.models.losses import CrossEntropyLoss
from mmseg.models.necks import FPN

from vitdet.segmentors import EncoderDecoder

norm = dict(type="SyncBN", requires_grad=True)
model = dict(
    type=EncoderDecoder,
    data_preprocessor=dict(
        type=SegDataPreProcessor,
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
    ),
    neck=dict(type=FPN, out_channels=256, num_outs=4),
    decode_head=dict(
        type=FPNHead,
        in_channels=[256, 256, 256, 256],
        in_index=[0, 1, 2, 3],
        feature_strides=[4, 8, 16, 32],
        channels=128,
        dropout_ratio=0.1,
        norm_cfg=norm,
        align_corners=False,
        loss_decode=dict(type=CrossEntropyLoss, use_sigmoid=False, loss_weight=1.0),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode="whole", crop_size=None, stride=None),
)
