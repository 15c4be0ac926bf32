"""Any folder of images and label files, under data/semantic; `--data DIR` points elsewhere.

`images/{train,val}` and `masks/{train,val}` with one label file for each image: index or palette
PNG, or colours that `classes.txt` explains. Its line k, counting from 0, names the value k; the
name `ignore` marks a value that is no class. Augmentation is mmseg's usual.
"""

from mmcv.transforms import LoadImageFromFile, RandomFlip, RandomResize, Resize
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmseg.datasets.transforms import PackSegInputs, PhotoMetricDistortion, RandomCrop

from vitdet.datasets import LoadLabels, SemanticFolder
from vitdet.evaluation import IoUMetric

crop_size = (512, 512)
train_pipeline = [
    dict(type=LoadImageFromFile),
    dict(type=LoadLabels),
    dict(
        type=RandomResize,
        resize_type=Resize,
        scale=(2048, 512),
        ratio_range=(0.5, 2.0),
        keep_ratio=True,
    ),
    dict(type=RandomCrop, crop_size=crop_size, cat_max_ratio=0.75),
    dict(type=RandomFlip, prob=0.5),
    dict(type=PhotoMetricDistortion),
    dict(type=PackSegInputs),
]
# Labels are loaded after the resizing: predictions are compared at the image's own size.
test_pipeline = [
    dict(type=LoadImageFromFile),
    dict(type=Resize, scale=(2048, 512), keep_ratio=True),
    dict(type=LoadLabels),
    dict(type=PackSegInputs),
]

train_dataloader = dict(
    batch_size=2,
    num_workers=None,  # by the machine
    persistent_workers=True,
    sampler=dict(type=InfiniteSampler, shuffle=True),
    dataset=dict(
        type=SemanticFolder,
        data_root="data/semantic",
        data_prefix=dict(img_path="images/train", seg_map_path="masks/train"),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=None,  # by the machine
    persistent_workers=True,
    sampler=dict(type=DefaultSampler, shuffle=False),
    dataset=dict(
        type=SemanticFolder,
        data_root="data/semantic",
        data_prefix=dict(img_path="images/val", seg_map_path="masks/val"),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type=IoUMetric, iou_metrics=["mIoU"])
test_evaluator = val_evaluator
