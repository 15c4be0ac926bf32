"""Swin-T on ImageNet-1K: published top-1 81.3.

Source of the figure and of what differs from DeiT's recipe (20 epochs of warm-up, clipped
gradients, drop path 0.2; 0.3 for "small", 0.5 for "base"): Liu et al. 2021 (arXiv:2103.14030, table
1 and appendix A2.1).

    tools/dist_train.sh configs/swin_classifier_imagenet.py 8
    python tools/train.py configs/swin_classifier_imagenet.py --data path/to/my_images
"""

from mmengine.config import read_base

with read_base():
    from ._base_.classifier_imagenet import *

from vitdet.backbones import SwinTransformer

published = dict(
    top1=81.3,
    params=29,
    macs=4.5,
    size=(224, 224),
    num_classes=1000,
    source="arXiv:2103.14030, table 1",
)

model.update(
    backbone=dict(
        type=SwinTransformer, arch="tiny", drop_path_rate=0.2, final_norm=True, out_indices=()
    )
)
optim_wrapper.update(clip_grad=dict(max_norm=5.0))
param_scheduler[0].update(end=20)
param_scheduler[1].update(begin=20, T_max=280)
