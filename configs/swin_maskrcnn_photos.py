"""A handful of labelled photos, from scratch: the small Swin of the quick start at 320 pixels.

For seeing whether labels and training fit together before anything larger; 15 photos take minutes
on two CPU cores. With hundreds of photos take fewer epochs, or fine-tune swin_maskrcnn_coco.py.

    python tools/train.py configs/swin_maskrcnn_photos.py --data path/to/my_photos
"""

from mmengine.config import read_base

with read_base():
    from .swin_maskrcnn_shapes import *

published = dict(num_classes=3, size=(320, 320))

for loader, resize in ((train_dataloader, 2), (val_dataloader, 1), (test_dataloader, 1)):
    loader["dataset"]["pipeline"][resize].update(scale=(320, 320))
train_dataloader.update(batch_size=5)
val_dataloader.update(batch_size=1)
test_dataloader.update(batch_size=1)

train_cfg.update(max_epochs=120, val_interval=20)
param_scheduler[1].update(T_max=120)
default_hooks["logger"].update(interval=10)
