"""Mask2Former (Cheng et al. 2022, arXiv:2112.01527) for instance segmentation.

Left open, and filled in by `vitdet.engine.load_config`: the backbone, the head's `in_channels`,
the numbers of classes and the weights of their losses (1, and 0.1 for "no object"). Masks are
compared at 12,544 points, in training alone.
"""

from mmdet.models.data_preprocessors import BatchFixedSizePad, DetDataPreprocessor
from mmdet.models.dense_heads import Mask2FormerHead
from mmdet.models.detectors import Mask2Former
from mmdet.models.layers import MSDeformAttnPixelDecoder
from mmdet.models.losses import CrossEntropyLoss, DiceLoss
from mmdet.models.seg_heads import MaskFormerFusionHead
from mmdet.models.task_modules.assigners import (
    ClassificationCost,
    CrossEntropyLossCost,
    DiceCost,
    HungarianAssigner,
)
from mmdet.models.task_modules.samplers import MaskPseudoSampler

model = dict(
    type=Mask2Former,
    data_preprocessor=dict(
        type=DetDataPreprocessor,
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=32,
        pad_mask=True,
        mask_pad_value=0,
        batch_augments=[dict(type=BatchFixedSizePad, size=(1024, 1024), pad_mask=True)],
    ),
    panoptic_head=dict(
        type=Mask2FormerHead,
        feat_channels=256,
        out_channels=256,
        num_stuff_classes=0,
        num_queries=100,
        num_transformer_feat_level=3,
        pixel_decoder=dict(
            type=MSDeformAttnPixelDecoder,
            num_outs=3,
            norm_cfg=dict(type="GN", num_groups=32),
            act_cfg=dict(type="ReLU"),
            encoder=dict(
                num_layers=6,
                layer_cfg=dict(
                    self_attn_cfg=dict(
                        embed_dims=256,
                        num_heads=8,
                        num_levels=3,
                        num_points=4,
                        dropout=0.0,
                        batch_first=True,
                    ),
                    ffn_cfg=dict(embed_dims=256, feedforward_channels=1024, ffn_drop=0.0),
                ),
            ),
            positional_encoding=dict(num_feats=128, normalize=True),
        ),
        positional_encoding=dict(num_feats=128, normalize=True),
        transformer_decoder=dict(
            num_layers=9,
            return_intermediate=True,
            layer_cfg=dict(
                self_attn_cfg=dict(embed_dims=256, num_heads=8, dropout=0.0, batch_first=True),
                cross_attn_cfg=dict(embed_dims=256, num_heads=8, dropout=0.0, batch_first=True),
                ffn_cfg=dict(embed_dims=256, feedforward_channels=2048, ffn_drop=0.0),
            ),
        ),
        loss_cls=dict(type=CrossEntropyLoss, use_sigmoid=False, loss_weight=2.0),
        loss_mask=dict(type=CrossEntropyLoss, use_sigmoid=True, loss_weight=5.0),
        loss_dice=dict(
            type=DiceLoss,
            use_sigmoid=True,
            activate=True,
            naive_dice=True,
            eps=1.0,
            loss_weight=5.0,
        ),
    ),
    panoptic_fusion_head=dict(type=MaskFormerFusionHead, num_stuff_classes=0),
    train_cfg=dict(
        num_points=12544,
        oversample_ratio=3.0,
        importance_sample_ratio=0.75,
        assigner=dict(
            type=HungarianAssigner,
            match_costs=[
                dict(type=ClassificationCost, weight=2.0),
                dict(type=CrossEntropyLossCost, weight=5.0, use_sigmoid=True),
                dict(type=DiceCost, weight=5.0, pred_act=True, eps=1.0),
            ],
        ),
        sampler=dict(type=MaskPseudoSampler),
    ),
    test_cfg=dict(
        panoptic_on=False,
        semantic_on=False,
        instance_on=True,
        max_per_image=100,
    ),
)
