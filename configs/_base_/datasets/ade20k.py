"""ADE20K as the scene parsing challenge has it, under data/ade/ADEChallengeData2016.

150 classes, the values 1 to 150 of the label files; 0 is what belongs to none of them and is not
counted. `--data DIR` points elsewhere.
"""

from mmengine.config import read_base

with read_base():
    from .semantic_folder import *

from mmseg.datasets import ADE20KDataset

train_dataloader["dataset"].update(
    type=ADE20KDataset,
    data_root="data/ade/ADEChallengeData2016",
    data_prefix=dict(img_path="images/training", seg_map_path="annotations/training"),
)
for loader in (val_dataloader, test_dataloader):
    loader["dataset"].update(
        type=ADE20KDataset,
        data_root="data/ade/ADEChallengeData2016",
        data_prefix=dict(img_path="images/validation", seg_map_path="annotations/validation"),
    )
