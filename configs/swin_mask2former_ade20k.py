"""Mask2Former with Swin-T on ADE20K, 160,000 steps: mmseg publishes mIoU 48.7 at one scale.

Its recipe (mmsegmentation 1.2.2, configs/mask2former). Mask2Former's authors give 47.7
(arXiv:2112.01527, table 3).

    tools/dist_train.sh configs/swin_mask2former_ade20k.py 8
    python tools/train.py configs/swin_mask2former_ade20k.py --data path/to/my_data --auto-scale-lr
"""

from mmengine.config import read_base

with read_base():
    from ._base_.datasets.ade20k import *
    from ._base_.models.mask2former_semantic import *
    from ._base_.schedules.mask2former_160k import *
    from ._base_.segmentation_runtime import *

from mmcv.transforms import RandomChoiceResize
from mmseg.datasets.transforms import ResizeShortestEdge

from vitdet.backbones import SwinTransformer

published = dict(miou=48.7, num_classes=150, size=(512, 512), source="mmseg 1.2.2")

model.update(
    backbone=dict(
        type=SwinTransformer,
        arch="tiny",
        drop_path_rate=0.3,
        init_cfg=dict(
            type="Pretrained",
            checkpoint="https://github.com/SwinTransformer/storage/releases/download/v1.0.0/"
            "swin_tiny_patch4_window7_224.pth",
        ),
    )
)

train_dataloader["dataset"]["pipeline"][2] = dict(
    type=RandomChoiceResize,
    scales=[51 * step + step // 5 for step in range(5, 21)],  # 0.5 to 2 times 512
    resize_type=ResizeShortestEdge,
    max_size=2048,
)
