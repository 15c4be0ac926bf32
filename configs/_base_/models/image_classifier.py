"""A classifier without its backbone, trained on mixed images as DeiT is (arXiv:2012.12877).

Class names and their number follow from the data.
"""

from torchvision.transforms.v2 import CutMix, MixUp, RandomErasing

from vitdet.classification import ImageClassifier, ImagePreprocessor

model = dict(
    type=ImageClassifier,
    label_smoothing=0.1,
    batch_augments=[dict(type=MixUp, alpha=0.8), dict(type=CutMix, alpha=1.0)],
    data_preprocessor=dict(
        type=ImagePreprocessor,
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        augments=[dict(type=RandomErasing, p=0.25, value="random")],
    ),
)
