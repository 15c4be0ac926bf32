"""A handful of photos and label files, from scratch: the small UperNet of the quick start.

For seeing whether labels and training fit together before anything larger: 42 photos take twelve
minutes of one CPU core, after which only the largest classes are found. With thousands of photos
fine-tune swin_upernet_ade20k.py.

    python tools/train.py configs/swin_upernet_photos.py --data path/to/my_photos
"""

from mmengine.config import read_base

with read_base():
    from .swin_upernet_shapes import *

from mmcv.transforms import RandomResize, Resize
from mmseg.datasets.transforms import RandomCrop

from vitdet.datasets import SemanticFolder

published = dict(num_classes=11, size=(320, 320))

# Photos are brought to a short side of 320, crops are of 240: more steps for the same time.
model["data_preprocessor"].update(size=(240, 240))
train_dataloader.update(batch_size=2)
for loader in (train_dataloader, val_dataloader, test_dataloader):
    loader["dataset"].update(type=SemanticFolder, data_root="data/photos")
for loader in (val_dataloader, test_dataloader):
    loader.update(batch_size=1)
    loader["dataset"]["pipeline"][1].update(scale=(1024, 320))
train_dataloader["dataset"].update(
    pipeline=[
        dict(type=LoadImageFromFile),
        dict(type=LoadLabels),
        dict(
            type=RandomResize,
            resize_type=Resize,
            scale=(1024, 320),
            ratio_range=(0.75, 1.5),
            keep_ratio=True,
        ),
        dict(type=RandomCrop, crop_size=(240, 240), cat_max_ratio=0.75),
        dict(type=RandomFlip, prob=0.5),
        dict(type=PhotoMetricDistortion),
        dict(type=PackSegInputs),
    ]
)

train_cfg.update(max_iters=1200, val_interval=200)
optim_wrapper["optimizer"].update(lr=6e-4)
param_scheduler[1].update(T_max=1200)
auto_scale_lr.update(base_batch_size=2)
