"""A handful of labelled photos, from scratch: the small DETR of `detr_shapes.py` at 256 pixels.

For seeing whether labels and training fit together before anything larger. With hundreds of photos
take fewer epochs, or fine-tune detr_coco.py.

    python tools/train.py configs/detr_photos.py --data path/to/my_photos
"""

from mmengine.config import read_base

with read_base():
    from .detr_shapes import *

published = dict(num_classes=3, size=(256, 256))

model.update(num_queries=40)
for loader, resize in ((train_dataloader, 2), (val_dataloader, 1), (test_dataloader, 1)):
    loader["dataset"]["pipeline"][resize].update(scale=(256, 256))
train_dataloader.update(batch_size=5)
val_dataloader.update(batch_size=1)
test_dataloader.update(batch_size=1)

optim_wrapper["optimizer"].update(lr=1e-3)
train_cfg.update(max_epochs=600, val_interval=100)
param_scheduler[0].update(end=100)
param_scheduler[1].update(T_max=600)
default_hooks["logger"].update(interval=10)
auto_scale_lr.update(base_batch_size=5)
