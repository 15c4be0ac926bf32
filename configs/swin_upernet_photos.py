"""A handful of photos and label files, from scratch: the small UperNet of the quick start.

For seeing whether labels and training fit together before anything larger: 42 photos take a quarter
of an hour on two CPU cores. With hundreds of photos fine-tune swin_upernet_ade20k.py.

    python tools/train.py configs/swin_upernet_photos.py --data path/to/my_photos
"""

from mmengine.config import read_base

with read_base():
    from .swin_upernet_shapes import *

from mmcv.transforms import RandomResize, Resize
from mmseg.datasets.transforms import RandomCrop

from vitdet.datasets import SemanticFolder

published = dict(num_classes=11, size=(192, 192))

# Photos are brought to a short side of 240, crops are of 192: more of them for the same time.
model["data_preprocessor"].update(size=(192, 192))
model["decode_head"].update(loss_decode=[dict(type=CrossEntropyLoss), dict(type=ClassDiceLoss)])
train_dataloader.update(batch_size=4)
for loader in (train_dataloader, val_dataloader, test_dataloader):
    loader["dataset"].update(type=SemanticFolder, data_root="data/photos")
for loader in (val_dataloader, test_dataloader):
    loader.update(batch_size=1)
    loader["dataset"]["pipeline"][1].update(scale=(1024, 240))
train_dataloader["dataset"].update(
    pipeline=[
        dict(type=LoadImageFromFile),
        dict(type=LoadLabels),
        dict(
            type=RandomResize,
            resize_type=Resize,
            scale=(1024, 240),
            ratio_range=(0.75, 1.5),
            keep_ratio=True,
        ),
        dict(type=RandomCrop, crop_size=(192, 192), cat_max_ratio=0.75),
        dict(type=RandomFlip, prob=0.5),
        dict(type=PhotoMetricDistortion),
        dict(type=PackSegInputs),
    ]
)

train_cfg.update(max_iters=3600, val_interval=600)
optim_wrapper["optimizer"].update(lr=1e-3)
param_scheduler[1].update(T_max=3600)
auto_scale_lr.update(base_batch_size=4)
