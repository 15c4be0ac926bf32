"""A handful of labelled photos, from scratch: the small YOLOS of `yolos_shapes.py` at 256 pixels.

For seeing whether labels and training fit together before anything larger. With hundreds of photos
take fewer epochs, or fine-tune yolos_tiny_coco.py.

    python tools/train.py configs/yolos_photos.py --data path/to/my_photos
"""

from mmengine.config import read_base

with read_base():
    from .detr_photos import *
    from .yolos_shapes import model

published = dict(num_classes=3, size=(256, 256))

model.update(num_queries=40, mid_img_size=256)
model["backbone"].update(img_size=256, patch_size=16)
train_cfg.update(max_epochs=300)
param_scheduler[1].update(T_max=300)
