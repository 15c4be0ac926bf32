"""ImageNet-1K as folders of images by class, under data/imagenet; `--data DIR` points elsewhere.

Augmentation of DeiT (Touvron et al. 2021, arXiv:2012.12877, table 9), which most of the later
transformers took over. torchvision's RandAugment keeps its magnitude, where timm's varies it a
little (a deviation of 0.5). `train/` and `val/` hold a folder for each class.
"""

from mmengine.dataset import DefaultSampler
from torchvision.transforms.v2 import (
    CenterCrop,
    RandAugment,
    RandomHorizontalFlip,
    RandomResizedCrop,
    Resize,
)

from vitdet.datasets import ImageFolder, LoadImage, PackImage, ToPIL
from vitdet.evaluation import Accuracy

bicubic = 3  # Pillow's number for it
train_pipeline = [
    dict(type=LoadImage),
    dict(type=ToPIL),
    dict(type=RandomResizedCrop, size=224, interpolation=bicubic),
    dict(type=RandomHorizontalFlip),
    dict(type=RandAugment, num_ops=2, magnitude=9, interpolation=bicubic),
    dict(type=PackImage),
]
test_pipeline = [
    dict(type=LoadImage),
    dict(type=ToPIL),
    dict(type=Resize, size=256, interpolation=bicubic),
    dict(type=CenterCrop, size=224),
    dict(type=PackImage),
]

train_dataloader = dict(
    batch_size=128,
    num_workers=None,  # by the machine
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type=DefaultSampler, shuffle=True),
    dataset=dict(
        type=ImageFolder,
        data_root="data/imagenet",
        data_prefix=dict(img="train"),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=128,
    num_workers=None,  # by the machine
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(
        type=ImageFolder,
        data_root="data/imagenet",
        data_prefix=dict(img="val"),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type=Accuracy, topk=[1, 5])
test_evaluator = val_evaluator
