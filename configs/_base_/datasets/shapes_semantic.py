"""The label files of the generated data set `shapes`: background and six kinds of things.

1000 images of 160x160 to train on and 100 held out, generated on first use; no loader processes,
which such small images do not need.
"""

from mmengine.config import read_base

with read_base():
    from .semantic_folder import *

from vitdet.datasets import ShapesSemantic

train_dataloader.update(batch_size=8, num_workers=0, persistent_workers=False)
train_dataloader["dataset"].update(type=ShapesSemantic, data_root="data/shapes")
train_dataloader["dataset"]["pipeline"][2].update(scale=(160, 160))
train_dataloader["dataset"]["pipeline"][3].update(crop_size=(160, 160))
for loader in (val_dataloader, test_dataloader):
    loader.update(batch_size=10, num_workers=0, persistent_workers=False)
    loader["dataset"].update(type=ShapesSemantic, data_root="data/shapes")
    loader["dataset"]["pipeline"][1].update(scale=(160, 160))
