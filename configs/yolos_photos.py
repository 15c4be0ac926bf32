"""A handful of labelled photos, from scratch: the small YOLOS of `yolos_shapes.py` at 192 pixels.

For seeing whether labels and training fit together before anything larger. With hundreds of photos
take fewer epochs, or fine-tune yolos_tiny_coco.py.

    python tools/train.py configs/yolos_photos.py --data path/to/my_photos
"""

from mmengine.config import read_base

with read_base():
    from .detr_photos import *
    from .yolos_shapes import model

published = dict(num_classes=3, size=(192, 192))

model.update(mid_img_size=192)
model["backbone"].update(img_size=192)
for loader, resize in ((train_dataloader, 2), (val_dataloader, 1), (test_dataloader, 1)):
    loader["dataset"]["pipeline"][resize].update(scale=(192, 192))
